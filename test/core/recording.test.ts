import { type Kysely, sql } from 'kysely'
import t from 'tap'
import type { Booking, Reschedule } from '../../src/core/booking.ts'
import type { BookingTables } from '../../src/core/booking-tables.ts'
import type { Hold } from '../../src/core/hold.ts'
import { claimFact, learnSeats, reclaim, recordRejected } from '../../src/core/recording.ts'
import { defaultSettings } from '../../src/core/settings.ts'
import { claimsBetween } from '../../src/database/claims.ts'
import { findHold } from '../../src/database/holds.ts'
import { countIncidents } from '../../src/database/incidents.ts'
import type { Tables } from '../../src/database/tables.ts'
import { readTimeline } from '../../src/database/timeline.ts'
import { engines } from '../support/database.ts'
import { openTables } from '../support/replicas.ts'
import { aBooking, anEvent, meeting, minuteMs, tuesday } from '../support/samples.ts'

const dayMs = 24 * 60 * minuteMs

for (const kind of engines) {
  t.test(`what Calendly reports (${kind})`, async (t) => {
    const { db, transact } = await openTables(t, kind)
    let days = 0
    let ids = 0
    /** Every test has a day of its own. */
    let start = tuesday
    t.beforeEach(() => {
      start = tuesday + ++days * dayMs
    })

    type Range = { from?: number; to?: number }
    const times = ({ from = 0, to = from + 30 }: Range) => ({
      startTime: start + from * minuteMs,
      endTime: start + to * minuteMs
    })
    const users = (hosts: readonly string[]) => hosts.map((user) => ({ user }))
    const newBooking = (hosts: readonly string[], range: Range, changes: Partial<Booking> = {}) =>
      aBooking({ id: `bkg_${++ids}`, status: 'confirmed', hosts: users(hosts), ...times(range), ...changes })
    const take = (tables: BookingTables, { id, hosts, ...booking }: Booking, mode: 'all' | 'any') =>
      tables.claims.take({ ...booking, ownerId: id, session: id, hosts: hosts.map(({ user }) => user), mode })

    /** One of ours with its claim; of a pool with a claim on the first of its hosts that is free. */
    const book = (
      hosts: readonly string[],
      range: Range = {},
      mode: 'all' | 'any' = 'all',
      changes: Partial<Booking> = {}
    ) =>
      transact(async (tables) => {
        const booking = newBooking(hosts, range, changes)
        await tables.bookings.insert(booking)
        if (!(await take(tables, booking, mode))) throw new Error('not free')
        return booking
      })
    const ask = (hosts: readonly string[]) => book(hosts, {}, 'all', { status: 'unknown' })
    const hold = (
      hosts: readonly string[],
      range: Range = {},
      mode: 'all' | 'any' = 'all',
      session?: string
    ) =>
      transact(async (tables) => {
        const id = `hld_${++ids}`
        const row: Hold = { ...aHold, id, hosts, mode, isGroup: session !== undefined, ...times(range) }
        await tables.holds.insert(row, 60_000)
        const claim = { ...row, ownerId: id, session: session ?? id, expiresInMs: 60_000 }
        if (!(await tables.claims.take(claim))) throw new Error('not free')
        return id
      })
    /** Calendly reports a booking that we have not heard of. */
    const report = (hosts: readonly string[], range: Range = {}, changes: Partial<Booking> = {}) =>
      transact(async (tables) => {
        const booking = newBooking(hosts, range, changes)
        await tables.bookings.insert(booking)
        await claimFact(tables, booking)
        return booking
      })
    /** Calendly names the hosts of a booking of ours. */
    const name = (before: Booking, hosts: readonly string[]) =>
      transact(async (tables) => {
        await tables.bookings.lock('default', before.id)
        await reclaim(tables, before, { ...before, hosts: users(hosts) })
      })

    /** Host and minutes of what an owner claims. */
    const claimsOf = async (ownerId: string) =>
      (await claimsBetween(db, 'default', everybody, start - dayMs / 4, start + dayMs / 4))
        .filter((claim) => claim.ownerId === ownerId)
        .map((claim) => [claim.host, (claim.busyFrom - start) / minuteMs, (claim.busyTo - start) / minuteMs])
        .toSorted()
    const statusOf = async (holdId: string) => (await findHold(db, 'default', holdId))?.status
    const notes = async ({ id }: Booking) =>
      (await readTimeline(db, 'default', id)).map(({ type, detail }) => [type, detail])

    t.test('takes the time of holds, which are lost', async (t) => {
      const before = await countIncidents(db)
      const inTheWay = await hold(['ann', 'bob'], { from: 20 })
      const besides = await hold(['ann'], { from: 50 })
      const fact = await report(['ann'])
      t.same(await claimsOf(fact.id), [['ann', 0, 30]])
      t.same(await claimsOf(inTheWay), [], 'on none of its hosts')
      t.same([await statusOf(inTheWay), await statusOf(besides)], ['lost', 'active'])
      t.same(await notes(fact), [])
      t.same(await countIncidents(db), { ...before, holdsLost: before.holdsLost + 1 })
    })

    t.test('sends what any host of a pool would do for to another one', async (t) => {
      const held = await hold(['ann', 'bob'], {}, 'any')
      const booked = await book(['cid', 'dan'], {}, 'any')
      const fact = await report(['ann', 'cid'])
      t.same(await claimsOf(fact.id), [
        ['ann', 0, 30],
        ['cid', 0, 30]
      ])
      t.same([await claimsOf(held), await claimsOf(booked.id)], [[['bob', 0, 30]], [['dan', 0, 30]]])
      t.equal(await statusOf(held), 'active')
      t.same(await notes(fact), [])
    })

    t.test('takes the time of what a pool has no other host for', async (t) => {
      const held = await hold(['ann', 'bob'], {}, 'any')
      const booked = await book(['ann', 'bob'], {}, 'any')
      await book(['cid'])
      const fact = await report(['ann', 'bob'])
      t.equal((await claimsOf(fact.id)).length, 2)
      t.equal(await statusOf(held), 'lost')
      t.same(await claimsOf(booked.id), [], 'Calendly has not said where it is, and it is not here')
      await name(booked, ['dan'])
      t.same(await claimsOf(booked.id), [['dan', 0, 30]], 'until it says')
    })

    t.test(
      'is recorded over a live booking too, takes what is free and says over which it lies',
      async (t) => {
        const before = await countIncidents(db)
        const booked = await book(['ann'], { from: 10, to: 20 })
        const fact = await report(['ann'])
        t.same(await claimsOf(fact.id), [
          ['ann', 0, 10],
          ['ann', 20, 30]
        ])
        t.same(await claimsOf(booked.id), [['ann', 10, 20]])
        t.same(await notes(fact), [['overlap_found', { bookings: [booked.id] }]])
        t.same(await countIncidents(db), { ...before, bookingOverlaps: before.bookingOverlaps + 1 })
      }
    )

    t.test('takes the time of a booking that waits for Calendly’s answer, as long as it waits', async (t) => {
      const before = await countIncidents(db)
      const [sought, refused, surprise] = [await ask(['ann']), await ask(['bob']), await ask(['cid'])]
      const fact = await report(['ann', 'bob', 'cid'], { to: 20 })
      t.equal((await claimsOf(fact.id)).length, 3)
      t.same(await notes(fact), [])
      await transact((tables) => recordRejected(tables, refused, 0, { code: 'slot_unavailable', detail: '' }))
      t.same(await claimsOf(sought.id), [])
      t.same(await notes(sought), [['made_way', { booking: fact.id }]])
      t.same(await countIncidents(db), before)
      await name(surprise, ['cid'])
      t.same(await claimsOf(surprise.id), [['cid', 20, 30]], 'Calendly booked it twice')
      t.match(await notes(surprise), [['made_way'], ['overlap_found', { bookings: [fact.id] }]])
    })

    t.test('takes a time that a reschedule has only asked for, and none that Calendly has', async (t) => {
      const change = (step: Reschedule['step'], cancelFirst: boolean): Reschedule => ({
        kind: 'reschedule',
        state: 'pending',
        requestedAt: 0,
        step,
        cancelFirst,
        to: { ...times({ from: 60 }), hosts: [] }
      })
      for (const [step, cancelFirst, left] of [
        ['booking_new', false, [0]],
        ['canceling_old', false, [0, 60]],
        ['canceling_new', false, [0, 60]],
        ['canceling_old', true, [0, 60]],
        ['booking_new', true, []],
        ['rebooking_old', true, []]
      ] as const) {
        const host = `${step} ${cancelFirst}`
        const booking = await book([host], {}, 'all', { change: change(step, cancelFirst) })
        await transact((tables) => take(tables, { ...booking, ...times({ from: 60 }) }, 'all'))
        await report([host], { from: 10, to: 80 })
        const claims = await claimsBetween(db, 'default', [host], start, start + dayMs)
        const own = claims.filter(({ ownerId }) => ownerId === booking.id)
        t.same(own.map(({ startTime }) => (startTime - start) / minuteMs).toSorted(), left, host)
      }
    })

    t.test(
      'keeps the buffers of the present settings; where they are not kept it is no double booking',
      async (t) => {
        const eventType = `${meeting}_BUFFERED`
        const settings = { ...defaultSettings, bufferBeforeMinutes: 5, bufferAfterMinutes: 15 }
        await transact((tables) => tables.settings.put('default', eventType, settings, 0))
        const before = await countIncidents(db)
        const booked = await book(['ann'], { from: 40 })
        const fact = await report(['ann'], {}, { eventType })
        t.same(await claimsOf(fact.id), [['ann', -5, 40]])
        t.same(await notes(fact), [['buffer_not_kept', { bookings: [booked.id] }]])
        t.same(await countIncidents(db), before)
        const own = { eventType, buffers: { beforeMs: 0, afterMs: minuteMs } }
        t.same(
          await claimsOf((await report(['bob'], {}, own)).id),
          [['bob', 0, 31]],
          'a booking of ours has its own'
        )
      }
    )

    t.test('settles a pool’s claim where it is, or moves it', async (t) => {
      const pool = ['ann', 'bob', 'cid']
      const right = await book(pool, {}, 'any')
      const wrong = await book(pool, {}, 'any')
      await name(right, ['ann'])
      await name(wrong, ['cid'])
      t.same([await claimsOf(right.id), await claimsOf(wrong.id)], [[['ann', 0, 30]], [['cid', 0, 30]]])
      const fact = await report(['ann'])
      t.same(await claimsOf(right.id), [['ann', 0, 30]], 'where it stays')
      t.same(await notes(fact), [['overlap_found', { bookings: [right.id] }]])
    })

    t.test('names more hosts of the pools than one', async (t) => {
      const booked = await book(['ann', 'bob'], {}, 'any')
      await name(booked, ['ann', 'bob'])
      t.same(await claimsOf(booked.id), [
        ['ann', 0, 30],
        ['bob', 0, 30]
      ])
    })

    t.test('leaves a pool’s claim alone as long as it names no host', async (t) => {
      const booked = await book(['ann', 'bob'], {}, 'any')
      await transact((tables) => reclaim(tables, booked, { ...booked, status: 'confirmed' }))
      await report(['ann'])
      t.same(await claimsOf(booked.id), [['bob', 0, 30]])
    })

    t.test('exchanges the hosts of two of a pool at the same moment, and of many', async (t) => {
      for (let round = 0; round < 5; round++) {
        const pool = everybody.slice(0, 2 + round)
        const range = { from: 40 * round }
        const bookings: Booking[] = []
        for (const _ of pool) bookings.push(await book(pool, range, 'any'))
        const named = pool.map((_, n) => pool[(n + 1) % pool.length] ?? '')
        await Promise.all(bookings.map((booking, n) => name(booking, [named[n] ?? ''])))
        const claims = await Promise.all(bookings.map(({ id }) => claimsOf(id)))
        t.same(
          claims,
          named.map((host) => [[host, 40 * round, 40 * round + 30]])
        )
        t.same((await Promise.all(bookings.map(notes))).flat(), [])
      }
    })

    if (kind === 'postgresql') {
      t.test('moves no claim that is being given back', async (t) => {
        const booked = await book(['ann', 'bob'], {}, 'any')
        const released = Promise.withResolvers<void>()
        const mayEnd = Promise.withResolvers<void>()
        const canceling = transact(async ({ claims }) => {
          await claims.release('default', booked.id)
          released.resolve()
          await mayEnd.promise
        })
        await released.promise
        const reporting = report(['ann'])
        await until(async () => (await waiting(db)) > 0)
        mayEnd.resolve()
        await canceling
        t.same(await claimsOf((await reporting).id), [['ann', 0, 30]])
        t.same(await claimsOf(booked.id), [])
      })
    }

    t.test('comes at once over everything that others do, and nothing of it fails', async (t) => {
      const held: string[] = []
      for (let n = 0; n < 6; n++)
        held.push(await hold(everybody.slice(0, 3), { from: 10 * (n % 3) }, 'any').catch(() => ''))
      const facts = await Promise.all([
        ...Array.from({ length: 12 }, (_, n) => report([everybody[n % 4] ?? ''], { from: 5 * n })),
        ...held.map((id) => transact((tables) => tables.claims.release('default', id)).then(() => undefined)),
        ...Array.from({ length: 6 }, () => hold(everybody, {}, 'any').then(undefined, () => undefined)).map(
          (holding) => holding.then(() => undefined)
        )
      ])
      const claims = await claimsBetween(db, 'default', everybody, start - dayMs, start + dayMs)
      for (const fact of facts) {
        if (!fact) continue
        const isCovered = Array.from({ length: 30 }, (_, n) => fact.startTime + n * minuteMs).every((at) =>
          claims.some(({ host, busyFrom, busyTo, ownerId }) => {
            return host === fact.hosts[0]?.user && busyFrom <= at && at < busyTo && ownerId.startsWith('bkg_')
          })
        )
        t.ok(isCovered, fact.id)
      }
    })

    t.test('of a group loses the newest holds that have no seat any more', async (t) => {
      const session = `${meeting}@${start}`
      const seats = (limit: number) =>
        anEvent('A', { startTime: start, inviteesCounter: { total: 1, active: 1, limit } })
      await transact((tables) => learnSeats(tables, 'default', seats(4), 0))
      const holds: string[] = []
      for (let n = 0; n < 3; n++) holds.push(await hold(['ann'], {}, 'all', session))
      const statuses = () => Promise.all(holds.map(statusOf))
      await report(['ann'], {}, { isGroup: true })
      t.same(await statuses(), ['active', 'active', 'active'])
      const fact = await report(['ann'], {}, { isGroup: true })
      t.same(await statuses(), ['active', 'active', 'lost'])
      t.same(await notes(fact), [], 'those who share a session do not overlap')
      await transact((tables) => learnSeats(tables, 'default', seats(2), 0))
      t.same(await statuses(), ['lost', 'lost', 'lost'], 'and so does Calendly’s counter')
    })

    t.test('of a group with a counter that cannot be read teaches nothing', async (t) => {
      const session = `${meeting}@${start}`
      await transact((tables) => learnSeats(tables, 'default', anEvent('A', { startTime: start }), 0))
      t.equal(await transact(({ sessions }) => sessions.lockKnown('default', session)), undefined)
    })
  })
}

/** Statements of this database that wait for another transaction. */
async function waiting(db: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
  return rows[0]?.n ?? 0
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo()));
}

const everybody = ['ann', 'bob', 'cid', 'dan', 'eva', 'fay']
const aHold = {
  tenantId: 'default',
  caller: 'shop',
  status: 'active' as const,
  eventType: meeting,
  expiresAt: 0,
  createdAt: 0,
  updatedAt: 0
}
