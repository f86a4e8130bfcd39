import { sql } from 'kysely'
import t from 'tap'
import type { Booking } from '../../src/core/booking.ts'
import type { CancelOutcome, EventFact, InviteeFact } from '../../src/core/calendly.ts'
import type { CancelRequest } from '../../src/core/cancel-request.ts'
import { createCancellations } from '../../src/core/cancellations.ts'
import {
  aBooking,
  anEvent,
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
const request: CancelRequest = { cancelerType: 'invitee', refund: 'policy', scope: 'invitee' }
const hostDid = {
  kind: 'done',
  cancellation: { cancelerType: 'host', canceledBy: 'Hedy Host', createdAt: tuesday - 5 }
} satisfies CancelOutcome
const refused = (reason: 'already_canceled' | 'past' | 'not_allowed' | 'not_found'): CancelOutcome => ({
  kind: 'refused',
  reason,
  detail: 'Calendly’s words'
})

t.test('a cancellation', async (t) => {
  const { db, transact, reads } = await openTables(t)
  async function clear(): Promise<void> {
    for (const table of ['claims', 'invitees', 'booking_timeline', 'bookings']) {
      await sql`delete from ${sql.table(table)}`.execute(db)
    }
  }
  t.beforeEach(clear)

  /** A confirmed booking with its claim, and a Calendly that answers `outcome`. */
  async function setUp(
    outcome: CancelOutcome,
    {
      event = anEvent('A') as EventFact | null,
      invitee = anInvitee('A') as InviteeFact | null,
      changes = {} as Partial<Booking>,
      now = tuesday - 60 * minuteMs
    } = {}
  ) {
    const booking = aBooking({
      status: 'confirmed',
      calendly: { event: anEvent('A').uri, invitee: inviteeUri('A') },
      ...changes
    })
    await transact(async (tables) => {
      await tables.bookings.insert(booking)
      await tables.claims.takeFree({
        tenantId: 'default',
        ownerId: booking.id,
        session: booking.id,
        hosts: [host],
        startTime: booking.startTime,
        endTime: booking.endTime
      })
    })
    const sent: (string | undefined)[] = []
    const begun: string[] = []
    const dropped: { eventType: string; hosts: readonly string[] }[] = []
    const cancellations = createCancellations({
      payments: withoutStripe,
      system: fakeSystem(now),
      transact,
      reads,
      lookupsMs: [1_000],
      calendly: {
        cancelEvent: async (uri, reason) => {
          sent.push(uri, reason)
          begun.push(`intent ${(await read()).change?.kind}`)
          return outcome
        },
        findEvent: async () => event ?? undefined,
        findInvitee: async () => invitee ?? undefined,
        dropAvailability: (eventType, hosts) => dropped.push({ eventType, hosts })
      }
    })
    const execution = {
      subject: undefined,
      begin: async () => {
        begun.push('key')
      },
      forget: async () => {
        begun.push('forgotten')
      }
    }
    return {
      sent,
      begun,
      dropped,
      resume: async () => {
        const booking = await read()
        if (booking.change?.kind !== 'cancel') throw new Error('no cancellation was begun')
        await cancellations.resume(booking, booking.change)
        return read()
      },
      cancel: (changes: Partial<CancelRequest> = {}) =>
        cancellations.cancel(caller, booking.id, { ...request, ...changes }, execution)
    }
  }
  async function read(id = 'bkg_1'): Promise<Booking> {
    const booking = await reads.find('default', id)
    if (!booking) throw new Error(`${id} is gone`)
    return booking
  }
  const claims = () => reads.claimsBetween('default', [host], 0, tuesday + 1)
  const timeline = async () => (await reads.timeline('default', 'bkg_1')).map(({ type }) => type)

  t.test(
    'is asked of Calendly once the intent is written, and is the caller’s, whatever Calendly says',
    async (t) => {
      const { cancel, sent, begun } = await setUp(hostDid)
      t.match(await cancel({ reason: 'Ill' }), {
        status: 'canceled',
        change: undefined,
        cancellation: {
          cancelerType: 'invitee',
          canceledBy: 'Ada Example',
          reason: 'Ill',
          canceledAt: tuesday - 5
        }
      })
      t.same(sent, [anEvent('A').uri, 'Ill'])
      t.same(begun, ['key', 'intent cancel'])
      t.same(await claims(), [])
      t.same(await timeline(), ['cancel_requested', 'canceled'])
    }
  )

  t.test('forgets which times of its hosts were free, also when its outcome is unknown', async (t) => {
    for (const outcome of [hostDid, { kind: 'ambiguous', cause: new Error('lost') }] as const) {
      await clear()
      const { cancel, dropped } = await setUp(outcome)
      await cancel()
      t.same(dropped, [{ eventType: meeting, hosts: [host] }])
    }
  })

  t.test('of what is canceled is the same answer again, and Calendly is not asked', async (t) => {
    const { cancel, sent } = await setUp(hostDid)
    const first = await cancel()
    t.match(await cancel({ cancelerType: 'host', reason: 'No' }), {
      version: first.version,
      cancellation: first.cancellation
    })
    t.equal(sent.length, 2)
  })

  /** Another booking of ours in the same event. */
  const sitDownBeside = (changes: Partial<Booking> = {}) =>
    transact(({ bookings }) =>
      bookings.insert(
        aBooking({
          id: 'bkg_2',
          isGroup: true,
          status: 'confirmed',
          calendly: { event: anEvent('A').uri, invitee: inviteeUri('B') },
          ...changes
        })
      )
    )

  t.test('cancels every booking of the event', async (t) => {
    const { cancel } = await setUp(hostDid, { changes: { isGroup: true } })
    await sitDownBeside()
    await cancel({ scope: 'event', cancelerType: 'system', reason: 'Burst pipe' })
    t.match(await read('bkg_2'), {
      status: 'canceled',
      cancellation: { cancelerType: 'system', canceledBy: 'system', reason: 'Burst pipe' }
    })
  })

  t.test('of the event by one invitee is the host’s for the others, who are not told why', async (t) => {
    const event = anEvent('A', { inviteesCounter: { total: 3, active: 3, limit: 5 } })
    const reason = 'Ada is ill'
    const outcome: CancelOutcome = { kind: 'done', cancellation: { ...hostDid.cancellation, reason } }
    const { cancel, sent } = await setUp(outcome, { event, changes: { isGroup: true } })
    await sitDownBeside()
    const own = {
      kind: 'cancel',
      state: 'unknown',
      requestedAt: tuesday - 9,
      cancelerType: 'invitee',
      canceledBy: 'Cy',
      reason: 'Cy is late',
      scope: 'event'
    } as const
    const calendly = { event: event.uri, invitee: inviteeUri('C') }
    await sitDownBeside({ id: 'bkg_3', calendly, change: own })
    t.match(await cancel({ scope: 'event', reason }), {
      cancellation: { cancelerType: 'invitee', canceledBy: 'Ada Example', reason }
    })
    t.same(sent, [event.uri, undefined], 'Calendly would tell it to all of them')
    const { cancellation } = await read('bkg_2')
    t.same(cancellation, { cancelerType: 'host', canceledBy: 'Hedy Host', canceledAt: tuesday - 5 })
    t.match(await read('bkg_3'), {
      cancellation: { cancelerType: 'invitee', canceledBy: 'Cy', reason: 'Cy is late' }
    })
  })

  t.test('of a seat beside which one of ours is about to sit down is refused', async (t) => {
    const { cancel, sent } = await setUp(hostDid, { changes: { isGroup: true } })
    await transact(({ claims }) =>
      claims.takeFree({
        tenantId: 'default',
        ownerId: 'bkg_2',
        session: `${meeting}@${tuesday}`,
        hosts: ['another host'],
        startTime: tuesday,
        endTime: tuesday + 30 * minuteMs
      })
    )
    await t.rejects(cancel(), { code: 'group_event' })
    t.same(sent, [])
    t.match(await read(), { version: 1 })
    t.match(await cancel({ scope: 'event' }), { status: 'canceled' })
  })

  t.test('of the event under a booking that is being rescheduled overrules that', async (t) => {
    const { cancel } = await setUp(hostDid, { changes: { isGroup: true } })
    await sitDownBeside({
      change: {
        kind: 'reschedule',
        state: 'pending',
        requestedAt: tuesday - 9,
        step: 'booking_new',
        cancelFirst: false,
        to: { startTime: tuesday + 60 * minuteMs, endTime: tuesday + 90 * minuteMs, hosts: [{ user: host }] }
      }
    })
    await cancel({ scope: 'event' })
    t.match(
      await read('bkg_2'),
      { status: 'confirmed', change: { step: 'booking_new', overruled: { of: 'old', kind: 'canceled' } } },
      'it is canceled once the answer is there to what was asked'
    )
  })

  t.test('of a group with others is refused before anything is written, unless all are meant', async (t) => {
    const event = anEvent('A', { inviteesCounter: { total: 2, active: 2, limit: 5 } })
    const { cancel, sent } = await setUp(hostDid, { event, changes: { isGroup: true } })
    await t.rejects(cancel(), { code: 'group_event' })
    t.same(sent, [])
    t.match(await read(), { version: 1 })
    t.match(await cancel({ scope: 'event' }), { status: 'canceled' })
  })

  t.test('of a seat that its invitee has left already needs no scope and asks nothing', async (t) => {
    const event = anEvent('A', { inviteesCounter: { total: 2, active: 1, limit: 5 } })
    const invitee = anInvitee('A', { status: 'canceled', cancellation: { createdAt: tuesday - 7 } })
    const { cancel, sent } = await setUp(hostDid, { event, invitee, changes: { isGroup: true } })
    await sitDownBeside()
    t.match(await cancel(), { status: 'canceled', cancellation: { canceledAt: tuesday - 7 } })
    t.same(sent, [])
    t.same(await claims(), [])
    t.match(await read('bkg_2'), { status: 'confirmed' }, 'and whoever sits there still keeps the seat')
  })

  t.test('of a group with nobody else needs no scope', async (t) => {
    const { cancel } = await setUp(hostDid, { changes: { isGroup: true } })
    t.match(await cancel(), { status: 'canceled' })
  })

  t.test('whose answer is lost stays begun and keeps the time', async (t) => {
    const { cancel, resume, sent } = await setUp({ kind: 'ambiguous', cause: new Error('reset') })
    t.match(await cancel(), {
      status: 'confirmed',
      change: { kind: 'cancel', state: 'unknown', cancelerType: 'invitee' }
    })
    t.equal((await claims()).length, 1)
    t.match(
      await resume(),
      { change: { state: 'unknown' } },
      'it is asked again while Calendly has the event'
    )
    t.equal(sent.length, 4)
  })

  const begun = {
    kind: 'cancel',
    state: 'unknown',
    requestedAt: tuesday - 9,
    cancelerType: 'system',
    canceledBy: 'system',
    scope: 'invitee'
  } as const

  t.test('whose answer was lost is found in Calendly’s record, and not asked for again', async (t) => {
    const event = anEvent('A', { status: 'canceled', cancellation: { createdAt: tuesday - 7 } })
    const { resume, sent } = await setUp(hostDid, { event, changes: { change: begun } })
    t.match(await resume(), {
      status: 'canceled',
      cancellation: { cancelerType: 'system', canceledAt: tuesday - 7 }
    })
    t.same(sent, [])
  })

  t.test('of a seat that its invitee has given up meanwhile leaves the others theirs', async (t) => {
    const event = anEvent('A', { inviteesCounter: { total: 3, active: 2, limit: 5 } })
    const invitee = anInvitee('A', { status: 'canceled', cancellation: { createdAt: tuesday - 7 } })
    const { resume, sent } = await setUp(hostDid, {
      event,
      invitee,
      changes: { isGroup: true, change: begun }
    })
    t.match(await resume(), { status: 'canceled', cancellation: { canceledAt: tuesday - 7 } })
    t.same(sent, [])
  })

  t.test('of a seat beside which others have sat down meanwhile is given up', async (t) => {
    const event = anEvent('A', { inviteesCounter: { total: 2, active: 2, limit: 5 } })
    const { resume, sent } = await setUp(hostDid, { event, changes: { isGroup: true, change: begun } })
    await sitDownBeside()
    t.match(await resume(), { status: 'confirmed', change: undefined })
    t.same(sent, [])
    t.same(await timeline(), ['cancel_failed'])
    t.equal((await claims()).length, 1)
    t.match(await read('bkg_2'), { status: 'confirmed' })
  })

  t.test(
    'that Calendly calls done already is a success once its record says so, and only then',
    async (t) => {
      const event = anEvent('A', { status: 'canceled' })
      t.match(await (await setUp(refused('already_canceled'), { event })).cancel(), {
        status: 'canceled',
        cancellation: { cancelerType: 'invitee' }
      })
      await clear()
      await t.rejects((await setUp(refused('not_found'), { event: null })).cancel(), {
        code: 'not_cancelable'
      })
      t.match(await read(), { status: 'confirmed', change: undefined })
    }
  )

  t.test('of what Calendly knows nothing of is withdrawn: no record says that it is canceled', async (t) => {
    const { cancel } = await setUp(refused('not_found'), { event: null, invitee: null })
    await t.rejects(cancel(), { code: 'not_cancelable', status: 409 })
    t.match(await read(), { status: 'confirmed', change: undefined })
    t.equal((await claims()).length, 1)
    t.same(await timeline(), ['cancel_requested', 'cancel_failed'])
  })

  t.test('that Calendly refuses is withdrawn', async (t) => {
    const { cancel } = await setUp(refused('not_allowed'))
    await t.rejects(cancel(), { code: 'not_cancelable', message: 'Calendly’s words' })
    t.match(await read(), { status: 'confirmed', change: undefined })
    t.equal((await claims()).length, 1)
    t.same(await timeline(), ['cancel_requested', 'cancel_failed'])
  })

  t.test('of what was just moved to another time cancels nothing', async (t) => {
    const invitee = anInvitee('A', { status: 'canceled', rescheduled: true, newInvitee: inviteeUri('B') })
    const { cancel } = await setUp(refused('already_canceled'), {
      event: anEvent('A', { status: 'canceled' }),
      invitee
    })
    await t.rejects(cancel(), { code: 'not_cancelable', message: /rescheduled/ })
    t.match(await read(), { status: 'confirmed', change: undefined })
  })

  t.test('that never reached Calendly stays begun, and is asked for again', async (t) => {
    const { cancel, resume, sent } = await setUp({ kind: 'not_done', detail: 'refused', retryAfterMs: 2_000 })
    t.match(await cancel(), { status: 'confirmed', change: { kind: 'cancel', state: 'pending' } })
    await resume()
    t.equal(sent.length, 4)
    t.equal((await claims()).length, 1)
  })

  t.test('is refused for what cannot be canceled', async (t) => {
    const cases: [string, Partial<Booking>, number?][] = [
      ['begun', {}, tuesday],
      ['pending', { status: 'pending' }],
      ['unknown', { status: 'unknown' }],
      ['rejected', { status: 'rejected' }],
      ['moving', { change: { kind: 'move', state: 'pending', requestedAt: tuesday } }]
    ]
    for (const [why, changes, now] of cases) {
      await clear()
      const { cancel, sent } = await setUp(hostDid, { changes, ...(now && { now }) })
      await t.rejects(cancel(), { code: 'not_cancelable' }, why)
      t.same(sent, [])
    }
    await clear()
    const { cancel } = await setUp(hostDid, { changes: { status: 'needs_attention' } })
    await t.rejects(cancel(), { code: 'not_cancelable', message: /POST .*\/resolve/ })
  })

  t.test('with a refund that nobody can make is refused before anything is canceled', async (t) => {
    const { cancel, sent } = await setUp(hostDid)
    await t.rejects(cancel({ refund: 'full' }), { code: 'not_refundable' })
    await t.rejects(cancel({ refund: { amount: 100 } }), { code: 'not_refundable' })
    t.same(sent, [])
    t.match(await cancel({ refund: 'none' }), { status: 'canceled' })
  })

  t.test('of another tenant’s booking finds none', async (t) => {
    await setUp(hostDid)
    const { cancel } = createCancellations({
      payments: withoutStripe,
      system: fakeSystem(),
      transact,
      reads,
      lookupsMs: [1_000],
      calendly: {
        cancelEvent: async () => hostDid,
        findEvent: async () => undefined,
        findInvitee: async () => undefined,
        dropAvailability: () => {}
      }
    })
    const execution = { subject: undefined, begin: async () => {}, forget: async () => {} }
    await t.rejects(cancel({ ...caller, tenantId: 'other' }, 'bkg_1', request, execution), {
      code: 'booking_not_found'
    })
    t.match(await read(), { status: 'confirmed', eventType: meeting })
  })
})
