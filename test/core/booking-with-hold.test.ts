import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { createBookings } from '../../src/core/bookings.ts'
import type { EventType, InviteeOutcome, Refusal } from '../../src/core/calendly.ts'
import { createCursors } from '../../src/core/cursor.ts'
import { AppError } from '../../src/core/errors.ts'
import { createFacts } from '../../src/core/facts.ts'
import { createHolds } from '../../src/core/holds.ts'
import type { Execution } from '../../src/core/idempotency.ts'
import { createOutcomes } from '../../src/core/outcomes.ts'
import { lockBooking, recordRejected } from '../../src/core/recording.ts'
import { defaultSettings, type EventTypeSettings } from '../../src/core/settings.ts'
import { expireHold } from '../support/holds.ts'
import { anEvent, anEventType, anInvitee, host, meeting, minuteMs, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'
import { openTables } from '../support/tables.ts'
import { withoutStripe } from '../support/unpaid.ts'

const shop = { tenantId: 'default', name: 'shop', scopes: [] }
const kiosk = { ...shop, name: 'kiosk' }
const unkeyed: Execution = { subject: undefined, begin: async () => {}, forget: async () => {} }
const request = {
  eventType: meeting,
  startTime: tuesday,
  invitee: { name: 'Ada Example', email: 'ada@example.com', timezone: 'Europe/Berlin' },
  questionsAndAnswers: [],
  tracking: {},
  guests: [],
  metadata: {}
}
const done: InviteeOutcome = { kind: 'done', invitee: anInvitee('A') }
const lostAnswer: InviteeOutcome = { kind: 'ambiguous', cause: 'reset' }
const refusedAs = (reason: Refusal['reason']): InviteeOutcome => ({
  kind: 'refused',
  refusal: { reason, detail: 'Calendly’s words' }
})
const hosts = [host, `${host}2`]

t.test('a booking with a hold', async (t) => {
  const { db, transact, reads } = await openTables(t)
  t.beforeEach(async () => {
    for (const table of ['claims', 'invitees', 'booking_timeline', 'holds', 'bookings', 'event_type_days']) {
      await sql`delete from ${sql.table(table)}`.execute(db)
    }
  })

  /** A service whose Calendly gives one answer after the other; settings may change while it runs. */
  function open(outcomes: InviteeOutcome[], type: Partial<EventType> = {}) {
    const system = { ...fakeSystem(tuesday - 60 * minuteMs), id: () => crypto.randomUUID() }
    const settings: EventTypeSettings = { ...defaultSettings }
    const day = { startsAt: tuesday - 600 * minuteMs, endsAt: tuesday + 840 * minuteMs }
    const counted = { posts: 0 }
    const calendly = {
      eventTypeUri: () => meeting,
      getEventType: async (_tenantId: string, uri: string) => anEventType({ ...type, uri }),
      renewEventType: async () => anEventType(type),
      listHosts: async () => (type.poolingType ? hosts : [host]),
      findEvent: async () => anEvent('A'),
      createInvitee: async () => {
        counted.posts++
        return outcomes.shift() ?? done
      }
    }
    const taking = {
      system,
      transact,
      reads,
      calendly,
      claimRules: { rulesFor: async () => ({ settings: { ...settings }, day }) },
      conflicts: {
        refuseIfTaken: async () => {},
        lost: async () => new AppError('slot_unavailable')
      }
    }
    const offers = {
      find: async (_type: unknown, startTime: number) => ({ startTime, inviteesRemaining: 1 })
    }
    const facts = createFacts({ system })
    const bookings = createBookings({
      payments: withoutStripe,
      ...taking,
      cursors: createCursors(randomBytes(32)),
      outcomes: createOutcomes({ system, transact, facts, lookupsMs: [1_000], calendly })
    })
    const holds = createHolds({ ...taking, offers })
    return {
      counted,
      settings,
      system,
      ...holds,
      hold: (changes = {}, caller = shop) =>
        holds.create(caller, { eventType: meeting, startTime: tuesday, ttlMs: 300_000, ...changes }, unkeyed),
      book: (changes = {}, caller = shop, execution = unkeyed) =>
        bookings.create(caller, { ...request, ...changes }, execution)
    }
  }
  const claims = () => reads.claimsBetween('default', hosts, 0, tuesday + 600 * minuteMs)
  const expiryOf = async (ownerId: string) => {
    const { rows } = await sql<{ at: number | null }>`
      select expires_at as at from claims where owner_id = ${ownerId}`.execute(db)
    return rows[0]?.at
  }

  t.test('takes its time over, and what nobody else gets its owner does', async (t) => {
    const { hold, book, get } = open([])
    const { id } = await hold()
    await t.rejects(book(), { code: 'slot_unavailable' })
    await t.rejects(book({}, kiosk), { code: 'slot_unavailable' })
    const booking = await book({ holdId: id })
    t.match(booking, { status: 'confirmed', holdId: id })
    t.match(await claims(), [{ ownerId: booking.id }])
    t.equal(await expiryOf(booking.id), null, 'and no hour ends it')
    t.match(await get(shop, id), { status: 'used', bookingId: booking.id })
    t.match(await reads.timeline('default', booking.id), [{ type: 'requested', detail: { hold_id: id } }])
  })

  t.test('is refused before anything is written where it cannot be used', async (t) => {
    const { hold, book, release, counted } = open([])
    const { id } = await hold()
    const other = `${meeting}2`
    await t.rejects(book({ holdId: 'hld_none' }), { code: 'hold_not_found' })
    await t.rejects(book({ holdId: id }, kiosk), { code: 'hold_not_found' })
    await t.rejects(book({ holdId: id, startTime: tuesday + minuteMs }), { code: 'hold_mismatch' })
    await t.rejects(book({ holdId: id, eventType: other }), { code: 'hold_mismatch' })
    await release(shop, id)
    await t.rejects(book({ holdId: id }), { code: 'hold_expired', message: /released/ })
    const expired = await hold()
    await expireHold(db, expired.id)
    await t.rejects(book({ holdId: expired.id }), { code: 'hold_expired' })
    const lost = await hold()
    await transact((tables) => tables.holds.setStatus(lost, 'lost', 0))
    await t.rejects(book({ holdId: lost.id }), { code: 'hold_lost' })
    t.equal(counted.posts, 0)
    t.same(await reads.list('default', { limit: 50, now: 0 }), [])
  })

  t.test('uses it once, however many try at once', async (t) => {
    const { hold, book, counted, release } = open([])
    const { id } = await hold()
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => book({ holdId: id })))
    t.equal(all.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const one of all) if (one.status === 'rejected') t.match(one.reason, { code: 'hold_used' })
    t.equal(counted.posts, 1)
    await t.rejects(release(shop, id), { code: 'hold_used' })
    t.equal((await claims()).length, 1)
  })

  t.test('that Calendly refuses gives it back, so that it can be mended and tried again', async (t) => {
    const { hold, book, get } = open([refusedAs('missing_answer'), refusedAs('quota')])
    const { id, expiresAt } = await hold()
    for (const code of ['missing_answer', 'booking_quota_exhausted']) {
      await t.rejects(book({ holdId: id }), { code })
      t.match(await get(shop, id), { status: 'active', expiresAt })
      t.match(await claims(), [{ ownerId: id, startTime: tuesday }])
      t.ok(Math.abs(Number(await expiryOf(id)) - expiresAt) <= 1, 'and it ends when it would have')
      await t.rejects(book({}, kiosk), { code: 'slot_unavailable' })
    }
    t.match(await book({ holdId: id }), { status: 'confirmed' })
    t.equal((await claims()).length, 1)
  })

  t.test('that Calendly never got gives it back', async (t) => {
    const { hold, book, get } = open([{ kind: 'not_done', detail: 'refused' }])
    const { id } = await hold()
    await t.rejects(book({ holdId: id }), { code: 'calendly_unavailable' })
    t.match(await get(shop, id), { status: 'active' })
    t.match(await book({ holdId: id }), { status: 'confirmed' })
  })

  t.test('loses it where Calendly has given the time away', async (t) => {
    const { hold, book, get } = open([refusedAs('already_filled')])
    const { id } = await hold()
    await t.rejects(book({ holdId: id }), { code: 'slot_unavailable' })
    t.match(await get(shop, id), { status: 'lost' })
    t.same(await claims(), [])
    await t.rejects(book({ holdId: id }), { code: 'hold_lost' })
  })

  t.test('whose outcome is found only when the time of the hold is over leaves nothing behind', async (t) => {
    const { hold, book, get, system } = open([lostAnswer])
    const { id } = await hold()
    const booking = await book({ holdId: id })
    t.match(booking, { status: 'unknown' })
    t.match(await get(shop, id), { status: 'used' })
    await expireHold(db, id)
    t.match(await claims(), [{ ownerId: booking.id }], 'until then it is the booking that has the time')
    await transact(async (tables) => {
      const rejection = { code: 'calendly_rejected', detail: '' } as const
      await recordRejected(tables, await lockBooking(tables, booking), system.now(), rejection)
    })
    t.match(await get(shop, id), { status: 'expired' })
    t.same(await claims(), [])
  })

  t.test('is not held to rules that came after it', async (t) => {
    const { hold, book, settings } = open([])
    const { id } = await hold()
    await hold({ startTime: tuesday + 30 * minuteMs })
    Object.assign(settings, { bufferAfterMinutes: 60, minimumNoticeMinutes: 9_999, maxPerDay: 1 })
    t.match(await book({ holdId: id }), { status: 'confirmed', buffers: { beforeMs: 0, afterMs: 0 } })
  })

  t.test('keeps the buffers that it was held with', async (t) => {
    const { hold, book, settings } = open([refusedAs('rejected')])
    Object.assign(settings, { bufferBeforeMinutes: 15, bufferAfterMinutes: 5 })
    const { id } = await hold()
    Object.assign(settings, defaultSettings)
    const busy = { busyFrom: tuesday - 15 * minuteMs, busyTo: tuesday + 35 * minuteMs }
    await t.rejects(book({ holdId: id }), { code: 'calendly_rejected' })
    t.match(await claims(), [busy])
    t.match(await book({ holdId: id }), { buffers: { beforeMs: 15 * minuteMs, afterMs: 5 * minuteMs } })
    t.match(await claims(), [busy])
  })

  t.test('of a pool keeps the host that was held', async (t) => {
    const pool = { poolingType: 'round_robin' }
    const { hold, book } = open([lostAnswer, lostAnswer], pool)
    const first = await hold()
    const second = await hold()
    const held = new Map((await claims()).map(({ ownerId, host }) => [ownerId, host]))
    t.same([...held.values()].sort(), hosts)
    await t.rejects(hold(), { code: 'slot_unavailable' })
    for (const { id } of [second, first]) {
      const booking = await book({ holdId: id })
      t.equal((await claims()).find(({ ownerId }) => ownerId === booking.id)?.host, held.get(id))
    }
  })

  t.test('of a group session moves on its own seat', async (t) => {
    const { hold, book } = open([], { kind: 'group' })
    const { id } = await hold()
    const session = `${meeting}@${tuesday}`
    t.match(await claims(), [{ ownerId: id, session }])
    const booking = await book({ holdId: id })
    t.match(await claims(), [{ ownerId: booking.id, session }])
  })
})
