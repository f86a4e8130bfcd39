import { sql } from 'kysely'
import t from 'tap'
import { AppError } from '../../src/core/errors.ts'
import { createHolds } from '../../src/core/holds.ts'
import type { Execution } from '../../src/core/idempotency.ts'
import { defaultSettings, type EventTypeSettings } from '../../src/core/settings.ts'
import { expireHold } from '../support/holds.ts'
import { anEventType, host, meeting, minuteMs, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'
import { openTables } from '../support/tables.ts'

const shop = { tenantId: 'default', name: 'shop', scopes: [] }
const kiosk = { ...shop, name: 'kiosk' }
const unkeyed: Execution = { subject: undefined, begin: async () => {}, forget: async () => {} }
const request = { eventType: meeting, startTime: tuesday, ttlMs: 300_000 }

t.test('a hold', async (t) => {
  const { db, transact, reads } = await openTables(t)
  t.beforeEach(async () => {
    for (const table of ['claims', 'holds', 'event_type_days']) {
      await sql`delete from ${sql.table(table)}`.execute(db)
    }
  })

  type Given = { settings?: Partial<EventTypeSettings>; isOffered?: boolean; now?: number }

  function open({ settings = {}, isOffered = true, now = tuesday - 60 * minuteMs }: Given = {}) {
    const asked: string[] = []
    const holds = createHolds({
      system: { ...fakeSystem(now), id: () => crypto.randomUUID() },
      transact,
      reads,
      offers: {
        find: async (_eventType, startTime) => {
          asked.push('offers')
          return isOffered ? { startTime, inviteesRemaining: 1 } : undefined
        }
      },
      conflicts: {
        refuseIfTaken: async () => {},
        lost: async (_asked, kind) => new AppError('slot_unavailable', kind)
      },
      claimRules: {
        rulesFor: async () => ({
          settings: { ...defaultSettings, ...settings },
          day: { startsAt: tuesday - 600 * minuteMs, endsAt: tuesday + 840 * minuteMs }
        })
      },
      calendly: { getEventType: async () => anEventType(), listHosts: async () => [host] }
    })
    const hold = (changes: Partial<typeof request> = {}, caller = shop, execution = unkeyed) =>
      holds.create(caller, { ...request, ...changes }, execution)
    return { ...holds, hold, asked }
  }
  const claims = () => reads.claimsBetween('default', [host], 0, tuesday + 600 * minuteMs)
  const now = async () => {
    const { rows } = await sql<{ now: number }>`select now() as now`.execute(db)
    return rows[0]?.now ?? 0
  }

  t.test('has its time, with its buffers, until it expires by the clock of the database', async (t) => {
    const { hold, get } = open({ settings: { bufferBeforeMinutes: 5, bufferAfterMinutes: 10 } })
    const before = await now()
    const held = await hold()
    const endTime = tuesday + 30 * minuteMs
    t.match(held, { id: /^hld_/, status: 'active', caller: 'shop', startTime: tuesday, endTime })
    t.ok(held.expiresAt >= before + 300_000 && held.expiresAt <= (await now()) + 300_000)
    t.match(await claims(), [
      { ownerId: held.id, busyFrom: tuesday - 5 * minuteMs, busyTo: endTime + 10 * minuteMs }
    ])
    t.same(await get(shop, held.id), held)
  })

  t.test('has its time alone: of many who want it one gets it, the others leave nothing', async (t) => {
    const { hold } = open()
    const all = await Promise.allSettled(Array.from({ length: 30 }, (_, n) => hold({}, n % 2 ? shop : kiosk)))
    t.equal(all.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const one of all) {
      if (one.status === 'rejected') t.match(one.reason, { code: 'slot_unavailable', message: 'claimed' })
    }
    const { rows } = await sql`select id from holds`.execute(db)
    t.equal(rows.length, 1)
    t.equal((await claims()).length, 1)
  })

  t.test('of an overlapping time is refused, of the time after it is not', async (t) => {
    const { hold } = open()
    await hold()
    await t.rejects(hold({ startTime: tuesday + 29 * minuteMs }), { code: 'slot_unavailable' })
    t.match(await hold({ startTime: tuesday + 30 * minuteMs }), { status: 'active' })
  })

  t.test('is refused where Calendly does not offer the time, or too late, or in a full day', async (t) => {
    await t.rejects(open({ isOffered: false }).hold(), { code: 'slot_unavailable' })
    await t.rejects(open({ settings: { minimumNoticeMinutes: 61 } }).hold(), { code: 'slot_unavailable' })
    const { hold } = open({ settings: { minimumNoticeMinutes: 60, maxPerDay: 1 } })
    const { id } = await hold()
    const later = { startTime: tuesday + 60 * minuteMs }
    await t.rejects(hold(later), { code: 'slot_unavailable', message: 'max_per_day' })
    await expireHold(db, id)
    t.match(await hold(later), { status: 'active' }, 'a hold that has expired has no place in its day')
  })

  t.test('of what has begun is refused before Calendly is asked', async (t) => {
    const { hold, asked } = open({ now: tuesday })
    await t.rejects(hold(), { code: 'start_time_in_past' })
    t.same(asked, [])
  })

  t.test('belongs to the name that made it: to others it does not exist', async (t) => {
    const { hold, get, release } = open()
    const { id } = await hold()
    for (const stranger of [kiosk, { ...shop, tenantId: 'other' }]) {
      await t.rejects(get(stranger, id), { code: 'hold_not_found' })
      await t.rejects(release(stranger, id), { code: 'hold_not_found' })
    }
    await t.rejects(get(shop, 'hld_none'), { code: 'hold_not_found' })
    t.match(await get({ ...shop }, id), { status: 'active' })
  })

  t.test('that is released gives its time to whoever comes next, and may be released again', async (t) => {
    const { hold, get, release } = open()
    const { id } = await hold()
    await release(shop, id)
    t.match(await get(shop, id), { status: 'released' })
    t.same(await claims(), [])
    await release(shop, id)
    const next = await hold({}, kiosk)
    await release(shop, id)
    t.match(await claims(), [{ ownerId: next.id }])
  })

  t.test('that has expired says so at once, and its time is free at once', async (t) => {
    const { hold, get, release } = open()
    const { id } = await hold()
    await expireHold(db, id)
    t.match(await get(shop, id), { status: 'expired' })
    t.same(await claims(), [])
    const next = await hold({}, kiosk)
    await release(shop, id)
    t.match(await get(shop, id), { status: 'expired' }, 'and cannot be released any more')
    t.match(await get(kiosk, next.id), { status: 'active' })
  })

  t.test('is what a run that was cut short had made: the retry makes no other', async (t) => {
    const { hold, release } = open()
    const made = await hold()
    const resumed = { ...unkeyed, subject: made.id }
    t.same(await hold({}, shop, resumed), made)
    await release(shop, made.id)
    t.match(await hold({}, shop, resumed), { id: made.id, status: 'released' })
  })

  t.test('is not made by a run that somebody else has taken over', async (t) => {
    const { hold } = open()
    const begin = async () => {
      throw new AppError('idempotency_in_progress')
    }
    await t.rejects(hold({}, shop, { ...unkeyed, begin }), { code: 'idempotency_in_progress' })
    t.same(await claims(), [])
  })
})
