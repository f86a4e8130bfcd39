import { sql } from 'kysely'
import t from 'tap'
import type { Hold } from '../../src/core/hold.ts'
import { findHold, sweepHolds } from '../../src/database/holds.ts'
import { countIncidents } from '../../src/database/incidents.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openReplicas } from '../support/database.ts'
import { aBooking, meeting, minuteMs, tuesday } from '../support/samples.ts'

for (const kind of engines) {
  t.test(`holds on ${kind}`, async (t) => {
    const [engine, other] = await openReplicas(t, kind)
    const { db } = engine
    let ids = 0
    const within = <T>(work: (tables: ReturnType<typeof tablesOf>) => Promise<T>, on = engine) =>
      on.transaction((tx) => work(tablesOf(tx)))
    const insert = async (ttlMs: number, changes: Partial<Hold> = {}) => {
      const hold: Hold = { ...aHold, id: `hld_${++ids}`, ...changes }
      await within(({ holds }) => holds.insert(hold, ttlMs))
      return hold
    }
    const find = async ({ id }: Hold) => findHold(db, 'default', id)

    t.test('are found as they were made, with an end by the database’s clock', async (t) => {
      const hold = await insert(60_000, { buffers: { beforeMs: minuteMs, afterMs: 0 } })
      const found = await find(hold)
      t.match(found, { ...hold, expiresAt: Number })
      const { rows } = await sql<{ now: number }>`select now() as now`.execute(db)
      const leftMs = (found?.expiresAt ?? 0) - (rows[0]?.now ?? 0)
      t.ok(leftMs > 50_000 && leftMs <= 60_000, `${leftMs}`)
      t.equal(await findHold(db, 'other', hold.id), undefined)
    })

    t.test('are expired as soon as their time is over, whether swept or not', async (t) => {
      const over = await insert(-1)
      const live = await insert(60_000)
      t.equal((await find(over))?.status, 'expired')
      t.match(await within(({ holds }) => holds.lock('default', over.id)), {
        status: 'active',
        isExpired: true
      })
      t.match(await within(({ holds }) => holds.lock('default', live.id)), {
        status: 'active',
        isExpired: false
      })
      await sweepHolds(db)
      t.match(await within(({ holds }) => holds.lock('default', over.id)), { status: 'expired' })
      t.match(await within(({ holds }) => holds.lock('default', live.id)), { status: 'active' })
    })

    t.test('that have ended otherwise stay as they ended', async (t) => {
      const used = await insert(-1)
      await within(async ({ bookings, holds }) => {
        await bookings.insert(aBooking())
        await holds.setStatus(used, 'used', tuesday, 'bkg_1')
      })
      await sweepHolds(db)
      t.match(await find(used), { status: 'used', bookingId: 'bkg_1', updatedAt: tuesday })
    })

    t.test('that are lost are counted', async (t) => {
      const before = await countIncidents(db)
      const hold = await insert(60_000)
      await within(({ holds }) => holds.setStatus(hold, 'lost', tuesday))
      t.same(await countIncidents(db), { ...before, holdsLost: before.holdsLost + 1 })
    })

    if (kind === 'postgresql') {
      t.test('are swept around those that are in use right now', async (t) => {
        const [used, idle] = [await insert(-1), await insert(-1)]
        await within(async ({ holds }) => {
          await holds.lock('default', used.id)
          await sweepHolds(other.db)
        })
        const stored = await within(async ({ holds }) =>
          Promise.all([used, idle].map(({ id }) => holds.lock('default', id)))
        )
        t.same(
          stored.map((hold) => hold?.status),
          ['active', 'expired']
        )
      })
    }
  })
}

const aHold: Omit<Hold, 'id'> = {
  tenantId: 'default',
  caller: 'shop',
  status: 'active',
  eventType: meeting,
  isGroup: false,
  startTime: tuesday,
  endTime: tuesday + 30 * minuteMs,
  hosts: ['ann', 'bob'],
  mode: 'any',
  expiresAt: 0,
  createdAt: tuesday - minuteMs,
  updatedAt: tuesday - minuteMs
}
