import { sql } from 'kysely'
import t from 'tap'
import type { Booking } from '../../src/core/booking.ts'
import type { BookingFilter, BookingTables } from '../../src/core/booking-tables.ts'
import { findBooking, listBookings, oldestUnresolved } from '../../src/database/bookings.ts'
import { readTimeline } from '../../src/database/timeline.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { aBooking, anInvitee, minuteMs, tuesday } from '../support/samples.ts'

const whole: Required<Booking> = {
  ...aBooking(),
  id: 'bkg_whole',
  isGroup: true,
  invitee: {
    name: 'Zoë Example',
    firstName: 'Zoë',
    lastName: 'Example',
    email: 'Zoe@Example.com',
    timezone: 'Asia/Kathmandu',
    textReminderNumber: '+49 30 1234567'
  },
  hosts: [{ user: 'https://api.calendly.com/users/A', name: 'A', email: 'a@example.com' }, { user: 'B' }],
  requestedLocation: { kind: 'physical', location: 'Torstraße 1' },
  location: { type: 'zoom', joinUrl: 'https://zoom.example/1', status: 'pushed' },
  questionsAndAnswers: [{ question: 'Why?', answer: 'A "quote", a \\ and 😀', position: 0 }],
  tracking: { utmTerm: 'spring', salesforceUuid: 'sf' },
  guests: ['guest@example.com'],
  sessionId: 'session-1',
  metadata: { order: '4711', '': 'empty' },
  calendly: { event: 'https://e', invitee: 'https://i', cancelUrl: 'https://c', rescheduleUrl: 'https://r' },
  refundPolicy: { name: 'default', version: 2 },
  payment: { externalId: 'ch_1', provider: 'stripe', amount: '10.5', currency: 'USD', successful: true },
  cancellation: { cancelerType: 'system', canceledBy: 'system', reason: 'Rain', canceledAt: tuesday + 1 },
  change: { kind: 'move', state: 'unknown', requestedAt: tuesday + 2 },
  reschedules: [{ from: tuesday, to: tuesday + minuteMs, at: tuesday + 3 }],
  path: [{ invitee: 'https://invitee-before', startTime: tuesday }, { invitee: 'https://invitee' }],
  mergedInto: 'bkg_other',
  refusedReschedule: {
    requestedAt: tuesday,
    startTime: tuesday + 5,
    rejection: { code: 'not_reschedulable', detail: 'Others share it' }
  },
  noShow: true,
  noShowUri: 'https://n',
  noShowAt: 1_796_000_000_000,
  pastNoShows: ['https://m'],
  holdId: 'hld_1',
  buffers: { beforeMs: minuteMs, afterMs: 2 * minuteMs },
  rejection: { code: 'slot_unavailable', detail: 'Taken', pointer: '#/start_time', retryAfterMs: 1_000 },
  resolution: { since: tuesday, lookups: 2, absentSince: tuesday + 4, posts: 2, isTaken: true },
  version: 7,
  createdAt: tuesday + 123,
  updatedAt: tuesday + 456
}

for (const kind of engines) {
  t.test(`bookings on ${kind}`, async (t) => {
    const { db, transaction } = await openTestEngine(t, kind)
    const inTables = <T>(work: (tables: BookingTables) => Promise<T>) =>
      transaction((tx) => work(tablesOf(tx)))
    const insert = (booking: Booking, resolveInMs?: number) =>
      inTables(({ bookings }) => bookings.insert(booking, resolveInMs))
    const update = (booking: Booking, resolveInMs?: number) =>
      inTables(({ bookings }) => bookings.update(booking, resolveInMs))
    const takeUnresolved = () => inTables(({ bookings }) => bookings.takeUnresolved(minuteMs))
    const find = (id: string) => findBooking(db, 'default', id)
    const list = async (filter: Partial<BookingFilter> = {}, tenantId = 'default') =>
      (await listBookings(db, tenantId, { limit: 50, now: tuesday, ...filter })).map(({ id }) => id)

    await sql`insert into tenants (id, name) values ('other', 'other')`.execute(db)
    t.beforeEach(async () => {
      for (const table of ['invitees', 'booking_timeline', 'bookings']) {
        await sql`delete from ${sql.table(table)}`.execute(db)
      }
    })

    t.test('come back with every field as it was', async (t) => {
      await insert(whole)
      t.strictSame(await find(whole.id), whole)
      const changed = { ...aBooking({ id: whole.id }), version: 8 }
      await update(changed)
      t.strictSame(await find(whole.id), changed, 'and without what was taken away')
    })

    t.test('are found by their tenant alone', async (t) => {
      await insert(aBooking())
      t.equal(await findBooking(db, 'other', 'bkg_1'), undefined)
      t.equal(await inTables(({ bookings }) => bookings.lock('other', 'bkg_1')), undefined)
      t.same(await list({}, 'other'), [])
      t.match(await inTables(({ bookings }) => bookings.lock('default', 'bkg_1')), { id: 'bkg_1' })
    })

    t.test('are not written over a version that was not read', async (t) => {
      await insert(aBooking())
      await update(aBooking({ version: 2, status: 'confirmed' }))
      await t.rejects(update(aBooking({ version: 2, status: 'rejected' })), /changed without its lock/)
      await t.rejects(update(aBooking({ version: 4 })))
      await t.rejects(update(aBooking({ id: 'bkg_unknown', version: 2 })))
      t.match(await find('bkg_1'), { version: 2, status: 'confirmed' })
    })

    t.test('change one after the other when many change them under their lock', async (t) => {
      await insert(aBooking())
      await Promise.all(
        Array.from({ length: 20 }, () =>
          inTables(async ({ bookings }) => {
            const booking = await bookings.lock('default', 'bkg_1')
            if (booking) await bookings.update({ ...booking, version: booking.version + 1 })
          })
        )
      )
      t.match(await find('bkg_1'), { version: 21 })
    })

    t.test('are listed newest first, page by page', async (t) => {
      for (const n of [3, 1, 5, 2, 4]) await insert(aBooking({ id: `bkg_${n}` }))
      t.same(await list({ limit: 2 }), ['bkg_5', 'bkg_4'])
      t.same(await list({ limit: 2, before: 'bkg_4' }), ['bkg_3', 'bkg_2'])
      t.same(await list({ limit: 2, before: 'bkg_2' }), ['bkg_1'])
    })

    t.test('are filtered by event type, host, e-mail and start', async (t) => {
      await insert(aBooking({ id: 'bkg_1' }))
      await insert(
        aBooking({
          id: 'bkg_2',
          eventType: 'https://another',
          hosts: [{ user: 'C' }, { user: 'D' }],
          invitee: { name: 'Bob', email: 'Bob@Example.com' },
          startTime: tuesday + 60 * minuteMs
        })
      )
      t.same(await list({ eventType: 'https://another' }), ['bkg_2'])
      t.same(await list({ host: 'D' }), ['bkg_2'])
      t.same(await list({ host: 'd' }), [])
      t.same(await list({ inviteeEmail: 'bOB@example.com' }), ['bkg_2'], 'whatever its case')
      t.same(await list({ startTimeFrom: tuesday + 1 }), ['bkg_2'])
      t.same(
        await list({ startTimeFrom: tuesday, startTimeTo: tuesday + 60 * minuteMs }),
        ['bkg_1'],
        'half-open'
      )
      t.same(await list({ eventType: 'https://another', host: 'C', startTimeTo: tuesday }), [])
    })

    t.test('are completed when they are confirmed and have ended', async (t) => {
      for (const status of ['confirmed', 'canceled', 'pending'] as const) {
        await insert(aBooking({ id: `bkg_${status}`, status }))
      }
      const end = tuesday + 30 * minuteMs
      t.same(await list({ status: 'confirmed', now: end - 1 }), ['bkg_confirmed'])
      t.same(await list({ status: 'completed', now: end - 1 }), [])
      t.same(await list({ status: 'completed', now: end }), ['bkg_confirmed'])
      t.same(await list({ status: 'confirmed', now: end }), [])
      t.same(await list({ status: 'canceled', now: end }), ['bkg_canceled'])
    })

    t.test('of one Calendly event are locked together, oldest first', async (t) => {
      for (const [id, event] of [
        ['bkg_2', 'E'],
        ['bkg_1', 'E'],
        ['bkg_3', 'F']
      ] as const) {
        await insert(aBooking({ id, calendly: { event } }))
      }
      const found = await inTables(({ bookings }) => bookings.lockByEvent('default', 'E'))
      t.same(
        found.map(({ id }) => id),
        ['bkg_1', 'bkg_2']
      )
      t.same(await inTables(({ bookings }) => bookings.lockByEvent('other', 'E')), [])
    })

    t.test('that wait for an answer are taken once they are due, by one at a time', async (t) => {
      await insert(aBooking({ id: 'bkg_settled', status: 'confirmed' }))
      await insert(aBooking({ id: 'bkg_later' }), minuteMs)
      await insert(aBooking({ id: 'bkg_due' }), -2_000)
      await insert(aBooking({ id: 'bkg_due_too' }), -1_000)
      const taken = await Promise.all([takeUnresolved(), takeUnresolved(), takeUnresolved()])
      t.same(
        taken.flatMap((booking) => booking?.id ?? []).sort(),
        ['bkg_due', 'bkg_due_too'],
        'and are then leased'
      )
      t.equal(await takeUnresolved(), undefined)
    })

    t.test(
      'that are settled wait no longer, and those still open stay due when nothing is said',
      async (t) => {
        await insert(aBooking(), -1_000)
        await update(aBooking({ version: 2, status: 'unknown' }))
        t.match(await takeUnresolved(), { id: 'bkg_1', version: 2 })
        await update(aBooking({ version: 3, status: 'unknown' }), -1_000)
        await update(aBooking({ version: 4, status: 'confirmed' }))
        t.equal(await takeUnresolved(), undefined)
      }
    )

    t.test('tell since when the oldest of them has waited', async (t) => {
      t.equal(await oldestUnresolved(db), undefined)
      await insert(aBooking({ id: 'bkg_settled', status: 'confirmed', createdAt: tuesday - 9 }))
      await insert(aBooking({ id: 'bkg_b', createdAt: tuesday - 1 }), minuteMs)
      t.equal(await oldestUnresolved(db), tuesday - 1)
      await insert(aBooking({ id: 'bkg_a', status: 'needs_attention', createdAt: tuesday - 2 }))
      t.equal(await oldestUnresolved(db), tuesday - 2, 'one that waits for a human waits too')
      const change = { kind: 'move', state: 'pending', requestedAt: tuesday - 3 } as const
      await insert(aBooking({ id: 'bkg_c', status: 'confirmed', change }), minuteMs)
      t.equal(await oldestUnresolved(db), tuesday - 3, 'and so does a change')
    })

    t.test('have a timeline in the order in which it was written', async (t) => {
      await insert(aBooking())
      const entries = [
        { at: tuesday, type: 'requested', detail: { a: [1, null, 'ä'] } },
        { at: tuesday - 5, type: 'confirmed', detail: {} }
      ]
      await inTables(async ({ timeline }) => {
        for (const entry of entries) await timeline.add(aBooking(), entry)
      })
      t.strictSame(await readTimeline(db, 'default', 'bkg_1'), entries)
      t.same(await readTimeline(db, 'other', 'bkg_1'), [])
    })

    t.test('know their invitees, each of one booking for ever', async (t) => {
      const { uri } = anInvitee('A')
      await insert(aBooking())
      await insert(aBooking({ id: 'bkg_2' }))
      const put = (bookingId: string, state: 'active' | 'moved') =>
        inTables(({ invitees }) => invitees.put('default', { uri, bookingId, state }))
      const links = (tenantId: string) =>
        inTables(({ invitees }) => invitees.find(tenantId, [uri, 'https://unheard']))
      await put('bkg_1', 'active')
      await put('bkg_1', 'moved')
      await t.rejects(put('bkg_2', 'active'))
      t.same(await links('default'), [{ uri, bookingId: 'bkg_1', state: 'moved' }])
      t.same(await links('other'), [])
    })

    t.test('leave nothing behind when their transaction fails', async (t) => {
      await t.rejects(
        inTables(async ({ bookings, timeline }) => {
          await bookings.insert(aBooking())
          await timeline.add(aBooking(), { at: tuesday, type: 'requested', detail: {} })
          throw new Error('cut short')
        }),
        /cut short/
      )
      t.equal(await find('bkg_1'), undefined)
      t.same(await readTimeline(db, 'default', 'bkg_1'), [])
    })
  })
}
