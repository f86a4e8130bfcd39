import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import type { BookingRequest } from '../../src/core/booking-draft.ts'
import { createBookings } from '../../src/core/bookings.ts'
import type { EventType, InviteeOutcome, InviteeRequest, Refusal } from '../../src/core/calendly.ts'
import { createCursors } from '../../src/core/cursor.ts'
import { AppError } from '../../src/core/errors.ts'
import { createFacts } from '../../src/core/facts.ts'
import type { Execution } from '../../src/core/idempotency.ts'
import { createOutcomes } from '../../src/core/outcomes.ts'
import { defaultSettings, type EventTypeSettings } from '../../src/core/settings.ts'
import {
  aBooking,
  anEvent,
  anEventType,
  anInvitee,
  host,
  inviteeUri,
  meeting,
  minuteMs,
  tuesday
} from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'
import { openTables } from '../support/tables.ts'
import { withoutStripe } from '../support/unpaid.ts'

const caller = { tenantId: 'default', name: 'shop', scopes: [] }
const request: BookingRequest = {
  eventType: meeting,
  startTime: tuesday,
  invitee: { name: 'Ada Example', email: 'ada@example.com', timezone: 'Europe/Berlin' },
  questionsAndAnswers: [],
  tracking: { utmTerm: 'spring' },
  guests: [],
  metadata: {}
}
const facts = createFacts({ system: fakeSystem() })
const done: InviteeOutcome = { kind: 'done', invitee: anInvitee('A') }
const refusedAs = (reason: Refusal['reason'], retryAfterMs?: number): InviteeOutcome => ({
  kind: 'refused',
  refusal: { reason, detail: 'Calendly’s words', retryAfterMs }
})

t.test('a booking', async (t) => {
  const { db, transact, reads } = await openTables(t)
  async function clear(): Promise<void> {
    for (const table of ['claims', 'invitees', 'booking_timeline', 'bookings']) {
      await sql`delete from ${sql.table(table)}`.execute(db)
    }
  }
  t.beforeEach(clear)

  type Given = { settings?: Partial<EventTypeSettings>; remembered?: EventType; now?: EventType }

  /** Bookings with a Calendly that answers `outcome`, after it has done `meanwhile`. */
  function open(
    outcome: InviteeOutcome,
    meanwhile: (sent: InviteeRequest) => Promise<void> = async () => {},
    { settings = {}, remembered = anEventType(), now = remembered }: Given = {}
  ) {
    const system = fakeSystem(tuesday - 60 * minuteMs)
    const sent: InviteeRequest[] = []
    const log: string[] = []
    const calendly = {
      eventTypeUri: () => meeting,
      getEventType: async () => remembered,
      renewEventType: async () => {
        log.push('renewed')
        return now
      },
      listHosts: async () => [host],
      findEvent: async () => anEvent('A'),
      createInvitee: async (wanted: InviteeRequest) => {
        sent.push(wanted)
        await meanwhile(wanted)
        return outcome
      }
    }
    const bookings = createBookings({
      payments: withoutStripe,
      system,
      transact,
      reads,
      calendly,
      cursors: createCursors(randomBytes(32)),
      outcomes: createOutcomes({ system, transact, facts, lookupsMs: [1_000], calendly }),
      claimRules: { rulesFor: async () => ({ settings: { ...defaultSettings, ...settings } }) },
      conflicts: {
        refuseIfTaken: async () => {},
        lost: async () => new AppError('slot_unavailable', undefined, { members: { alternatives: [] } })
      }
    })
    const run = (subject?: string): Execution => ({
      subject,
      begin: async (_tables, id) => {
        log.push(`begun ${id}`)
      },
      forget: async () => {
        log.push('forgotten')
      }
    })
    return {
      ...bookings,
      sent,
      log,
      book: (changes: Partial<BookingRequest> = {}, subject?: string) =>
        bookings.create(caller, { ...request, ...changes }, run(subject))
    }
  }
  const all = () => reads.list('default', { limit: 50, now: 0 })
  const claims = () => reads.claimsBetween('default', [host], 0, tuesday + 1)

  t.test(
    'is written and has its time before Calendly hears of it, and is confirmed by what it answers',
    async (t) => {
      // Read through the outer handle, which refuses to work while a transaction is open.
      const { book, get, sent, log } = open(done, async () => {
        t.match(await all(), [{ status: 'pending', source: 'api' }])
        t.match(await claims(), [{ startTime: tuesday, endTime: tuesday + 30 * minuteMs }])
      })
      const booking = await book()
      t.match(booking, {
        status: 'confirmed',
        tracking: { utmTerm: 'spring' },
        hosts: [{ name: 'Hedy Host' }],
        calendly: { invitee: inviteeUri('A') }
      })
      t.match(sent, [{ eventType: meeting, startTime: tuesday, tracking: { utmTerm: booking.id } }])
      t.same(log, [`begun ${booking.id}`])
      t.strictSame(await all(), [await get(caller, booking.id)])
    }
  )

  t.test('is sent to Calendly by one of many who want the same time', async (t) => {
    const { book, sent } = open(done)
    const results = await Promise.allSettled(Array.from({ length: 30 }, () => book()))
    t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const result of results) {
      if (result.status === 'rejected')
        t.match(result.reason, { code: 'slot_unavailable', members: { alternatives: [] } })
    }
    t.equal(sent.length, 1)
    t.equal((await all()).length, 1, 'and the losers leave nothing behind')
  })

  for (const [reason, code, pointer] of [
    ['already_filled', 'slot_unavailable', undefined],
    ['invalid_location', 'invalid_location', '#/location'],
    ['missing_answer', 'missing_answer', '#/questions_and_answers'],
    ['invalid_answer', 'invalid_answer', '#/questions_and_answers'],
    ['not_found', 'event_type_not_found', undefined],
    ['rejected', 'calendly_rejected', undefined]
  ] as const) {
    t.test(
      `that Calendly refuses as ${reason} is rejected, its time free again and its key kept`,
      async (t) => {
        const { book, log, sent } = open(refusedAs(reason))
        const faults = pointer ? [{ pointer, detail: 'Calendly’s words' }] : []
        await t.rejects(book(), { code, faults })
        t.same(await claims(), [])
        const [booking] = await all()
        t.match(booking, { status: 'rejected', rejection: { code } })
        t.notOk(log.includes('forgotten'))
        await t.rejects(book({}, booking?.id), { code, faults }, 'and resumed it is the same answer')
        t.equal(sent.length, 1)
      }
    )
  }

  t.test('beyond Calendly’s quota may be tried again under its key', async (t) => {
    const { book, log } = open(refusedAs('quota', 9_000))
    await t.rejects(book(), { code: 'booking_quota_exhausted', retryAfterMs: 9_000 })
    t.equal(log.at(-1), 'forgotten')
    t.same(await claims(), [])
  })

  t.test('that never reached Calendly may be tried again under its key', async (t) => {
    const { book, log } = open({ kind: 'not_done', detail: 'refused' })
    await t.rejects(book(), { code: 'calendly_unavailable' })
    t.equal(log.at(-1), 'forgotten')
    t.same(await claims(), [])
  })

  t.test(
    'whose answer was lost is unknown, keeps its time, and is not sent again by a repetition',
    async (t) => {
      const { book, sent } = open({ kind: 'ambiguous', cause: new Error('reset') })
      const booking = await book()
      t.match(booking, { status: 'unknown' })
      t.equal((await claims()).length, 1)
      t.match(await book({}, booking.id), { id: booking.id, status: 'unknown' })
      t.equal(sent.length, 1)
      await t.rejects(book(), { code: 'slot_unavailable' }, 'and nobody else gets it')
    }
  )

  t.test('that a webhook confirms before the answer comes stays as that has confirmed it', async (t) => {
    for (const outcome of [done, refusedAs('already_filled'), { kind: 'ambiguous', cause: 0 } as const]) {
      await clear()
      const { book } = open(outcome, async ({ tracking }) => {
        const invitee = anInvitee('A', { tracking: { utmTerm: tracking.utmTerm } })
        await transact((tables) => facts.apply(tables, 'default', invitee, anEvent('A'), 'webhook'))
      })
      t.match(await book(), { status: 'confirmed', version: 2, calendly: { invitee: inviteeUri('A') } })
    }
  })

  t.test(
    'in the past, or with a hold that does not exist, is refused before anything is written',
    async (t) => {
      const { book, sent } = open(done)
      await t.rejects(book({ startTime: tuesday - 60 * minuteMs }), { code: 'start_time_in_past' })
      await t.rejects(book({ holdId: 'hld_1' }), { code: 'hold_not_found' })
      t.same([await all(), sent], [[], []])
    }
  )

  t.test(
    'at shorter notice than our own is refused, and keeps our buffers free where it is not',
    async (t) => {
      const settings = { minimumNoticeMinutes: 60, bufferAfterMinutes: 20 }
      const { book } = open(done, undefined, { settings })
      const booking = await book()
      t.match(booking, { status: 'confirmed', buffers: { beforeMs: 0, afterMs: 20 * minuteMs } })
      t.match(await claims(), [{ busyFrom: tuesday, busyTo: tuesday + 50 * minuteMs }])
      const { book: bookLater, sent } = open(done, undefined, { settings: { minimumNoticeMinutes: 61 } })
      await clear()
      await t.rejects(bookLater(), { code: 'slot_unavailable' })
      t.same([sent, await all()], [[], []])
    }
  )

  t.test('is judged by the event type as it is, where the one remembered would refuse it', async (t) => {
    const offers = (kind: string) => anEventType({ locations: [{ kind }] })
    const zoom = { location: { kind: 'zoom_conference' } }
    const remembered = offers('physical')
    const changed = open(done, undefined, { remembered, now: offers('zoom_conference') })
    t.match(await changed.book(zoom), { status: 'confirmed', requestedLocation: zoom.location })
    await clear()
    const unchanged = open(done, undefined, { remembered })
    await t.rejects(unchanged.book(zoom), {
      code: 'invalid_location',
      faults: [{ pointer: '#/location/kind' }]
    })
    t.same([unchanged.sent, unchanged.log, await all()], [[], ['renewed'], []])
    const suited = open(done, undefined, { remembered: offers('zoom_conference') })
    await suited.book(zoom)
    t.notOk(suited.log.includes('renewed'), 'and costs no read where nothing is wrong')
  })

  t.test('is found by its tenant alone, with its timeline', async (t) => {
    const { book, get, timeline } = open(done)
    const { id } = await book()
    t.match(await get(caller, id), { id })
    t.same(
      (await timeline(caller, id)).map(({ type }) => type),
      ['requested', 'confirmed']
    )
    const stranger = { ...caller, tenantId: 'other' }
    await t.rejects(get(stranger, id), { code: 'booking_not_found' })
    await t.rejects(timeline(stranger, id), { code: 'booking_not_found' })
  })

  t.test('is listed once by whoever follows the cursors, newest first', async (t) => {
    const ids = Array.from({ length: 7 }, (_, n) => `bkg_${n}`)
    await transact(async ({ bookings }) => {
      for (const id of ids) await bookings.insert(aBooking({ id, status: 'confirmed' }))
    })
    const { list } = open(done)
    const seen: string[] = []
    let cursor: string | null | undefined
    do {
      const page = await list(caller, { limit: 3, ...(cursor && { cursor }) })
      seen.push(...page.bookings.map(({ id }) => id))
      cursor = page.nextCursor
    } while (cursor)
    t.same(seen, ids.toReversed())
    await t.rejects(list(caller, { limit: 3, cursor: 'bkg_1' }), { code: 'invalid_cursor' })
  })
})
