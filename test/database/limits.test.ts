import { sql } from 'kysely'
import t from 'tap'
import { findSeats, sweepLimits } from '../../src/database/limits.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { aBooking, meeting, minuteMs, tuesday } from '../support/samples.ts'

const hourMs = 60 * minuteMs

for (const kind of engines) {
  t.test(`limits on ${kind}`, async (t) => {
    const engine = await openTestEngine(t, kind)
    const { db } = engine
    const within = <T>(work: (tables: ReturnType<typeof tablesOf>) => Promise<T>) =>
      engine.transaction((tx) => work(tablesOf(tx)))
    let names = 0
    const lock = (session: string, seats: { limit?: number; remaining?: number }, endsAt = tuesday) =>
      within(({ sessions }) =>
        sessions.lock({
          tenantId: 'default',
          session,
          limit: seats.limit,
          remaining: seats.remaining,
          endsAt
        })
      )
    const put = (session: string, seats: number) =>
      within(({ sessions }) => sessions.put({ tenantId: 'default', session, seats, endsAt: tuesday }))

    t.test('seats are what was left first, besides those that are confirmed', async (t) => {
      const session = `${meeting}@${tuesday}`
      for (const [n, status] of (['confirmed', 'pending'] as const).entries()) {
        const booking = aBooking({ id: `bkg_${n}`, status, isGroup: true })
        await within(async ({ bookings, claims }) => {
          await bookings.insert(booking)
          await claims.take({ ...booking, ownerId: booking.id, session, hosts: ['ann', 'bob'], mode: 'all' })
        })
      }
      t.equal(await lock(session, { remaining: 3 }), 4)
      t.equal(await lock(session, { remaining: 2 }), 4, 'less was left later')
      t.equal(await lock(session, { remaining: 5 }), 5, 'more was left later')
      t.equal(await findSeats(db, 'default', session), undefined, 'that is worked out, not told')
    })

    t.test('seats are what Calendly’s event tells, which may change', async (t) => {
      const session = `session ${++names}`
      await lock(session, { remaining: 3 })
      t.same([await put(session, 8), await put(session, 8), await put(session, 6)], [true, false, true])
      t.equal(await findSeats(db, 'default', session), 6)
      t.equal(await findSeats(db, 'other', session), undefined)
      t.equal(await lock(session, { limit: 6 }), 6)
      t.equal(await within(({ sessions }) => sessions.lockKnown('default', session)), 6)
    })

    t.test('seats that were told are known to whoever had read them before they were swept', async (t) => {
      const session = `session ${++names}`
      t.equal(await lock(session, { limit: 6, remaining: 1 }), 6)
      t.equal(await findSeats(db, 'default', session), 6)
    })

    t.test('what has ended is swept', async (t) => {
      await lock('over', { limit: 1 }, Date.now() - minuteMs)
      await lock('to come', { limit: 1 }, Date.now() + hourMs)
      const day = (startsAt: number) =>
        within(({ days }) =>
          days.lockAndCount({
            tenantId: 'default',
            eventType: meeting,
            startsAt,
            endsAt: startsAt + 24 * hourMs,
            except: []
          })
        )
      await day(Date.now() - 49 * hourMs)
      await day(Date.now() - 24 * hourMs)
      await sweepLimits(db)
      const { rows } = await sql<{ days: number; sessions: number }>`
        select (select count(*) from event_type_days) as days,
          (select count(*) from sessions where session in ('over', 'to come')) as sessions`.execute(db)
      t.same(rows, [{ days: 1, sessions: 1 }])
    })
  })
}
