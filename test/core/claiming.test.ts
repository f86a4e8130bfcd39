import t from 'tap'
import type { Booking } from '../../src/core/booking.ts'
import type { BookingTables } from '../../src/core/booking-tables.ts'
import { attemptClaim } from '../../src/core/claim-attempt.ts'
import { type ClaimRules, claimTime, type Taken, type Wanted } from '../../src/core/claiming.ts'
import type { Hold } from '../../src/core/hold.ts'
import { defaultSettings } from '../../src/core/settings.ts'
import { claimsBetween } from '../../src/database/claims.ts'
import { engines } from '../support/database.ts'
import { openTables } from '../support/replicas.ts'
import { aBooking, meeting, minuteMs, tuesday } from '../support/samples.ts'

const hourMs = 60 * minuteMs
const seatsAre = (seats: ClaimRules['seats']): ClaimRules => ({ settings: defaultSettings, seats })
const atMost = (maxPerDay: number): ClaimRules => ({
  settings: { ...defaultSettings, maxPerDay },
  day: { startsAt: tuesday - 10 * hourMs, endsAt: tuesday + 14 * hourMs }
})

for (const kind of engines) {
  t.test(`time on ${kind}`, async (t) => {
    const { db, transact } = await openTables(t, kind)
    let days = 0
    let ids = 0
    /** Every test has a day, and with it sessions, of its own. */
    let start = tuesday
    t.beforeEach(() => {
      start = tuesday + ++days * 240 * hourMs
    })
    const onDay = (rules: ClaimRules): ClaimRules => ({
      ...rules,
      day: rules.day && {
        startsAt: rules.day.startsAt + start - tuesday,
        endsAt: rules.day.endsAt + start - tuesday
      }
    })

    const wish = (prefix: string, changes: Partial<Wanted> = {}): Wanted => {
      const { startTime = start } = changes
      return {
        tenantId: 'default',
        ownerId: `${prefix}_${++ids}`,
        eventType: meeting,
        isGroup: false,
        hosts: ['ann'],
        mode: 'all',
        startTime,
        endTime: startTime + 30 * minuteMs,
        ...changes
      }
    }
    /** What a hold or a booking does, in one transaction that a refusal undoes. */
    const attempt = (wanted: Wanted, rules: ClaimRules, insert: (tables: BookingTables) => Promise<void>) =>
      attemptClaim(transact, async (tables) => {
        await insert(tables)
        return claimTime(tables, wanted, onDay(rules))
      })
    const book = (rules: ClaimRules, changes: Partial<Wanted> = {}) => {
      const wanted = wish('bkg', changes)
      const { ownerId: id, isGroup, eventType, startTime, replaces } = wanted
      return attempt(wanted, rules, async ({ bookings, holds }) => {
        await bookings.insert(aBooking({ id, isGroup, eventType, startTime }))
        const hold = replaces === undefined ? undefined : await holds.lock('default', replaces)
        if (hold) await holds.setStatus(hold, 'used', 0, id)
      })
    }
    const hold = (rules: ClaimRules, changes: Partial<Wanted> = {}) => {
      const wanted = wish('hld', { expiresInMs: 60_000, ...changes })
      const row: Hold = { ...wanted, id: wanted.ownerId, ...aHold }
      return attempt(wanted, rules, ({ holds }) => holds.insert(row, 60_000))
    }
    const count = (results: readonly Taken[], kind: Taken['kind']) =>
      results.filter((taken) => taken.kind === kind).length
    const group = { isGroup: true }

    t.test('is had by one of the many holds and bookings that want it at once', async (t) => {
      const results = await Promise.all(
        Array.from({ length: 60 }, (_, n) => {
          const startTime = start + (n % 30) * minuteMs
          return n % 2 === 0
            ? book({ settings: defaultSettings }, { startTime })
            : hold(noRules, { startTime })
        })
      )
      t.equal(count(results, 'taken'), 1)
      t.equal(count(results, 'claimed'), 59)
    })

    t.test('is kept free around it by the buffers of its event type', async (t) => {
      const rules = { settings: { ...defaultSettings, bufferBeforeMinutes: 15, bufferAfterMinutes: 15 } }
      await book(rules)
      t.equal((await book(rules, { startTime: start + 59 * minuteMs })).kind, 'claimed')
      t.equal((await book(rules, { startTime: start + 60 * minuteMs })).kind, 'taken', '30 minutes between')
      t.equal(
        (await book(noRules, { startTime: start + 30 * minuteMs, endTime: start + 45 * minuteMs })).kind,
        'claimed'
      )
    })

    t.test('goes from a hold to its booking, and of a pool on the same host', async (t) => {
      const pool = { hosts: ['ann', 'bob', 'cid'], mode: 'any' as const }
      await hold(noRules, { ...pool, ownerId: 'hld_first' })
      await hold(noRules, { ...pool, ownerId: 'hld_mine' })
      await transact(({ claims }) => claims.release('default', 'hld_first'))
      const taken = await book(noRules, { ...pool, ownerId: 'bkg_mine', replaces: 'hld_mine' })
      t.same(taken, { kind: 'taken', hosts: ['bob'] }, 'not ann, who is first and free')
      const claims = await claimsBetween(db, 'default', pool.hosts, start, start + hourMs)
      t.notOk(claims.some(({ ownerId }) => ownerId === 'hld_mine'))
    })

    t.test('of a day that takes seven is had by seven of many at once, holds and bookings', async (t) => {
      const results = await Promise.all(
        Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? book : hold)(atMost(7), { hosts: [`host ${n}`] }))
      )
      t.equal(count(results, 'taken'), 7)
      t.equal(count(results, 'max_per_day'), 53)
    })

    t.test('of a full day is still had by the hold that is booked and the booking that moves', async (t) => {
      await hold(atMost(2), { ownerId: 'hld_full' })
      await book(atMost(2), { ownerId: 'bkg_moves', hosts: ['bob'] })
      t.equal((await book(atMost(2), { hosts: ['cid'] })).kind, 'max_per_day')
      t.equal((await book(atMost(2), { replaces: 'hld_full' })).kind, 'taken')
      const moving = wish('bkg', { ownerId: 'bkg_moves', hosts: ['bob'], startTime: start + 3 * hourMs })
      t.equal((await attempt(moving, atMost(2), async () => {})).kind, 'taken')
      t.equal((await book(atMost(2), { startTime: start + 24 * hourMs })).kind, 'max_per_day')
    })

    t.test('of a day is counted by what is live, of this event type and this day alone', async (t) => {
      const rules = atMost(1)
      await book(noRules, { eventType: `${meeting}_OTHER`, hosts: ['bob'] })
      await book(noRules, { startTime: start - 10 * hourMs - minuteMs, hosts: ['cid'] })
      await book(noRules, { startTime: start + 14 * hourMs, hosts: ['cid'] })
      await hold(noRules, { ownerId: 'hld_released', hosts: ['dan'] })
      await transact(({ holds }) =>
        holds.setStatus({ tenantId: 'default', id: 'hld_released' }, 'released', 0)
      )
      t.equal((await book(rules)).kind, 'taken')
      t.equal((await book(rules, { hosts: ['eva'] })).kind, 'max_per_day')
    })

    t.test('of a day counts where a booking is and where it is about to go', async (t) => {
      const change = {
        kind: 'reschedule' as const,
        state: 'pending' as const,
        requestedAt: 0,
        step: 'booking_new' as const,
        cancelFirst: false,
        to: { startTime: start, endTime: start + 30 * minuteMs, hosts: [] }
      }
      const moving = aBooking({ id: 'bkg_goes', status: 'confirmed', startTime: start - 48 * hourMs, change })
      await transact(({ bookings }) => bookings.insert(moving, 30_000))
      t.equal((await book(atMost(1))).kind, 'max_per_day')
    })

    t.test('in a session of five seats is had by five of many at once, holds and bookings', async (t) => {
      const results = await Promise.all(
        Array.from({ length: 60 }, (_, n) => (n % 3 === 0 ? hold : book)(seatsAre({ remaining: 5 }), group))
      )
      t.equal(count(results, 'taken'), 5)
      t.equal(count(results, 'full'), 55)
    })

    t.test(
      'in a session is had by each of five who come one after the other, however far the others are',
      async (t) => {
        // What Calendly has left sinks as it processes those before, whom we know already.
        for (const [n, remaining] of [5, 5, 4, 4, 3].entries()) {
          const taken = await (n % 2 === 0 ? book : hold)(
            seatsAre({ remaining: Math.max(remaining, 1) }),
            group
          )
          t.equal(taken.kind, 'taken', `${n + 1}`)
        }
        t.equal((await book(seatsAre({ remaining: 1 }), group)).kind, 'full')
      }
    )

    t.test('in a session is not had by more holds than Calendly has seats left', async (t) => {
      // Of ten seats nine are taken by people we have not heard of.
      const rules = seatsAre({ limit: 10, remaining: 1 })
      t.equal((await hold(rules, group)).kind, 'taken')
      t.equal((await hold(rules, group)).kind, 'full')
      t.equal((await book(rules, group)).kind, 'full', 'and nobody books what is held')
      t.equal((await book(rules, { ...group, replaces: `hld_${ids - 2}` })).kind, 'taken')
    })

    t.test('in a session has as many seats as its event says, as soon as there is one', async (t) => {
      const session = `${meeting}@${start}`
      await transact(({ sessions }) =>
        sessions.put({ tenantId: 'default', session, seats: 2, endsAt: start + hourMs })
      )
      const results = await Promise.all(Array.from({ length: 4 }, () => book(seatsAre({ limit: 2 }), group)))
      t.equal(count(results, 'taken'), 2)
      t.equal((await book(seatsAre({ limit: 2, remaining: 3 }), group)).kind, 'taken', 'it may grow')
    })

    t.test('in a session whose seats nobody knows is left to Calendly', async (t) => {
      for (let n = 0; n < 3; n++) t.equal((await book(seatsAre({}), group)).kind, 'taken')
    })

    t.test('in a session whose event is being canceled is nobody’s until that is over', async (t) => {
      const rules = seatsAre({ limit: 5 })
      t.equal((await book(rules, group)).kind, 'taken')
      const one = { tenantId: 'default', id: `bkg_${ids}` }
      const become = (changes: Partial<Booking>) =>
        transact(async ({ bookings }) => {
          const booking = await bookings.lock(one.tenantId, one.id)
          if (booking) await bookings.update({ ...booking, ...changes, version: booking.version + 1 })
        })
      const state = 'pending'
      const who = { cancelerType: 'invitee', canceledBy: 'Ada', scope: 'invitee' } as const
      await become({ status: 'confirmed', change: { kind: 'cancel', state, requestedAt: start, ...who } })
      t.equal((await book(rules, group)).kind, 'full')
      t.equal((await hold(rules, group)).kind, 'taken', 'of a hold Calendly knows nothing')
      t.equal((await book(noRules, { ...group, replaces: `hld_${ids}` })).kind, 'full')
      await become({ change: undefined })
      t.equal((await book(rules, group)).kind, 'taken')
    })

    t.test('in a session keeps out what is not of it', async (t) => {
      await book(seatsAre({ remaining: 5 }), group)
      t.equal((await book(noRules)).kind, 'claimed')
      t.equal(
        (await book(seatsAre({ remaining: 5 }), { ...group, startTime: start + minuteMs })).kind,
        'claimed'
      )
    })
  })
}

const noRules: ClaimRules = { settings: defaultSettings }
const aHold = { caller: 'shop', status: 'active' as const, expiresAt: 0, createdAt: 0, updatedAt: 0 }
