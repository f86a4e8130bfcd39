import type { Transaction } from 'kysely'
import t from 'tap'
import type { Booking } from '../../src/core/booking.ts'
import type { BookingTables } from '../../src/core/booking-tables.ts'
import type { EventFact, InviteeFact } from '../../src/core/calendly.ts'
import { createFacts } from '../../src/core/facts.ts'
import { listBookings } from '../../src/database/bookings.ts'
import { claimsBetween } from '../../src/database/claims.ts'
import type { Tables } from '../../src/database/tables.ts'
import { readTimeline } from '../../src/database/timeline.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { openTestEngine } from '../support/database.ts'
import { aBooking, anEvent, anInvitee, host, inviteeUri, minuteMs, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'

const hourMs = 60 * minuteMs
// A hundred and more orders, on machines that do other things besides.
t.setTimeout(300_000)
const engine = await openTestEngine(t)

type Fact = { invitee: InviteeFact; event: EventFact }
type State = {
  bookings: Booking[]
  /** Minutes from `tuesday`. */
  claims: number[][]
  timeline: string[]
}

class Undo extends Error {}

/** What the tables hold after each round of facts, in a world that had `before` and is forgotten afterwards. */
async function statesAfter(
  rounds: readonly (readonly Fact[])[],
  before: (tables: BookingTables) => Promise<void> = async () => {}
): Promise<State[]> {
  const facts = createFacts({ system: fakeSystem() })
  const states: State[] = []
  const work = engine.transaction(async (tx) => {
    const tables = tablesOf(tx)
    await before(tables)
    for (const round of rounds) {
      for (const { invitee, event } of round) await facts.apply(tables, 'default', invitee, event, 'webhook')
      states.push(await stateOf(tx))
    }
    throw new Undo()
  })
  await work.catch((error) => {
    if (!(error instanceof Undo)) throw error
  })
  return states
}

async function stateAfter(facts: readonly Fact[], before?: (tables: BookingTables) => Promise<void>) {
  const [state] = await statesAfter([facts], before)
  if (!state) throw new Error('one round has one state')
  return state
}

async function stateOf(tx: Transaction<Tables>): Promise<State> {
  const bookings = await listBookings(tx, 'default', { limit: 10, now: 0 })
  const claims = await claimsBetween(tx, 'default', [host], 0, tuesday + 100 * hourMs)
  return {
    bookings,
    claims: claims.map((claim) => [
      (claim.busyFrom - tuesday) / minuteMs,
      (claim.busyTo - tuesday) / minuteMs
    ]),
    timeline: (await readTimeline(tx, 'default', bookings[0]?.id ?? '')).map(({ type }) => type)
  }
}

/** A booking of ours that Calendly has confirmed as invitee A. */
const ours = aBooking({
  id: 'bkg_ours',
  status: 'confirmed',
  tracking: { utmTerm: 'the caller’s' },
  hosts: [{ user: host, name: 'Hedy Host' }],
  calendly: { event: anEvent('A').uri, invitee: inviteeUri('A') }
})
async function haveOurs(tables: BookingTables): Promise<void> {
  await tables.bookings.insert(ours)
  await tables.invitees.put('default', { uri: inviteeUri('A'), bookingId: ours.id, state: 'active' })
  await tables.claims.take({
    tenantId: 'default',
    ownerId: ours.id,
    session: ours.id,
    hosts: [host],
    mode: 'all',
    startTime: ours.startTime,
    endTime: ours.endTime
  })
}

const canceledAt = Date.parse('2026-11-10T12:00:00Z')
const later = { startTime: tuesday + hourMs }
/** Somebody books A, moves it to B an hour later, and cancels that. */
const history = {
  createdA: { invitee: anInvitee('A'), event: anEvent('A') },
  canceledA: {
    invitee: anInvitee('A', { status: 'canceled', rescheduled: true, newInvitee: inviteeUri('B') }),
    event: anEvent('A', { status: 'canceled' })
  },
  createdB: {
    invitee: anInvitee('B', { oldInvitee: inviteeUri('A') }),
    event: anEvent('B', later)
  },
  canceledB: {
    invitee: anInvitee('B', {
      status: 'canceled',
      oldInvitee: inviteeUri('A'),
      cancellation: { canceledBy: 'Ada Example', cancelerType: 'invitee', createdAt: canceledAt }
    }),
    event: anEvent('B', { ...later, status: 'canceled' })
  }
}
type Name = keyof typeof history
const names = Object.keys(history) as Name[]

/** Every order of every choice of them. */
function orders(left: readonly Name[]): Name[][] {
  return left.flatMap((first) => [
    [first],
    ...orders(left.filter((name) => name !== first)).map((rest) => [first, ...rest])
  ])
}

/** What must be known once these have been heard of, in whatever order. */
function expected(heard: readonly Name[]) {
  if (heard.includes('canceledB')) {
    const booking = { status: 'canceled', startTime: tuesday + hourMs, invitee: 'B', change: undefined }
    return { booking, canceledAt, claims: [] }
  }
  if (heard.includes('createdB')) {
    const booking = { status: 'confirmed', startTime: tuesday + hourMs, invitee: 'B', change: undefined }
    return { booking, canceledAt: undefined, claims: [[60, 90]] }
  }
  const isMoving = heard.includes('canceledA')
  return {
    booking: {
      status: 'confirmed',
      startTime: tuesday,
      invitee: 'A',
      change: isMoving ? 'move' : undefined
    },
    canceledAt: undefined,
    claims: isMoving ? [] : [[0, 30]]
  }
}

function summary({ bookings: [booking, ...others], claims }: State) {
  return {
    others: others.length,
    booking: booking && {
      status: booking.status,
      startTime: booking.startTime,
      invitee: booking.calendly.invitee?.at(-1),
      change: booking.change?.kind
    },
    canceledAt: booking?.cancellation?.canceledAt,
    claims
  }
}

for (const [origin, before] of [
  ['made on Calendly’s page', undefined],
  ['made by us', haveOurs]
] as const) {
  t.test(
    `a booking ${origin}, moved and canceled, ends the same in whatever order that is told`,
    async (t) => {
      for (const order of orders(names)) {
        const told = order.map((name) => history[name])
        const [once, again] = await statesAfter([told, told.toReversed()], before)
        t.same(once && summary(once), { others: 0, ...expected(order) }, order.join(', '))
        t.same(again, once, 'and nothing happens when it is told again')
        if (before) t.equal(once?.bookings[0]?.id, ours.id, 'and it keeps its id')
      }
    }
  )
}

t.test(
  'a booking that was moved twice stays where it was moved last, when the middle is told late',
  async (t) => {
    const [middle, last] = [inviteeUri('B'), inviteeUri('C')]
    const createdC = {
      invitee: anInvitee('C', { oldInvitee: middle }),
      event: anEvent('C', { startTime: tuesday + 2 * hourMs })
    }
    const leftB = {
      invitee: anInvitee('B', { status: 'canceled', rescheduled: true, newInvitee: last }),
      event: history.canceledB.event
    }
    const { createdA, canceledA, createdB } = history
    for (const order of [
      [createdA, canceledA, createdC, createdB, leftB],
      [createdA, canceledA, createdC, leftB, createdB],
      [createdA, createdB, createdC, canceledA, leftB]
    ]) {
      const state = await stateAfter(order)
      t.equal(state.bookings.length, 1)
      t.match(state.bookings[0], { calendly: { invitee: last }, startTime: tuesday + 2 * hourMs })
      t.same(state.claims, [[120, 150]])
    }
  }
)

t.test('a fact over somebody’s time is recorded all the same, takes what is free and says so', async (t) => {
  const halfway = tuesday + 15 * minuteMs
  const { bookings, claims } = await stateAfter([
    history.createdA,
    { invitee: anInvitee('C', { email: 'cid@example.com' }), event: anEvent('C', { startTime: halfway }) }
  ])
  t.same(
    bookings.map(({ status }) => status),
    ['confirmed', 'confirmed']
  )
  t.same(claims.toSorted(), [
    [0, 30],
    [30, 45]
  ])
})

t.test('the answer to a booking of ours is recognised by our id, and by all that goes with it', async (t) => {
  const lost = async ({ bookings }: BookingTables) =>
    bookings.insert(aBooking({ id: 'bkg_lost', status: 'unknown' }))
  const told = (invitee: Partial<InviteeFact>, event: Partial<EventFact> = {}) =>
    stateAfter(
      [
        {
          invitee: anInvitee('A', { tracking: { utmTerm: 'bkg_lost' }, ...invitee }),
          event: anEvent('A', event)
        }
      ],
      lost
    )

  const { bookings, timeline } = await told({ email: 'ADA@example.com' })
  t.match(bookings, [{ id: 'bkg_lost', status: 'confirmed', calendly: { invitee: inviteeUri('A') } }])
  t.same(timeline, ['confirmed'])
  for (const [why, invitee, event] of [
    ['another person', { email: 'eve@example.com' }, {}],
    ['another time', {}, { startTime: tuesday + 1 }],
    ['another event type', {}, { eventType: 'https://another' }],
    ['no id of ours', { tracking: {} }, {}]
  ] as const) {
    const state = await told(invitee, event)
    t.equal(state.bookings.length, 2, why)
    t.match(
      state.bookings.find(({ id }) => id === 'bkg_lost'),
      { status: 'unknown' },
      why
    )
  }
})

t.test('hosts that cannot be read are no news: a booking keeps those it has, and its claim', async (t) => {
  const hostless = ({ invitee, event }: Fact) => ({ invitee, event: { ...event, hosts: [] } })
  const lost = async (tables: BookingTables) => {
    await haveOurs(tables)
    await tables.bookings.update({ ...ours, status: 'unknown', version: 2, calendly: {} })
  }
  const told = { invitee: anInvitee('A', { tracking: { utmTerm: ours.id } }), event: anEvent('A') }
  for (const [why, before, facts, start] of [
    ['its answer was lost', lost, [told], 0],
    ['it was confirmed', haveOurs, [history.createdA], 0],
    ['it was moved', haveOurs, [history.canceledA, history.createdB], 60]
  ] as const) {
    const { bookings, claims } = await stateAfter(facts.map(hostless), before)
    t.equal(bookings.length, 1, why)
    t.match(bookings, [{ id: ours.id, status: 'confirmed', hosts: ours.hosts }], why)
    t.same(claims, [[start, start + 30]], why)
  }
})

t.test('who canceled is what we know of it, and Calendly’s word only where nobody asked us', async (t) => {
  const canceledA = {
    invitee: anInvitee('A', {
      status: 'canceled',
      cancellation: { cancelerType: 'host', canceledBy: 'Hedy Host', reason: 'Ill', createdAt: canceledAt }
    }),
    event: anEvent('A', { status: 'canceled' })
  }
  const asked = async (tables: BookingTables) => {
    await haveOurs(tables)
    await tables.bookings.update({
      ...ours,
      version: 2,
      change: {
        kind: 'cancel',
        state: 'pending',
        requestedAt: canceledAt,
        cancelerType: 'invitee',
        canceledBy: 'Ada Example',
        scope: 'invitee'
      }
    })
  }
  t.match((await stateAfter([canceledA], asked)).bookings[0], {
    status: 'canceled',
    change: undefined,
    cancellation: { cancelerType: 'invitee', canceledBy: 'Ada Example', reason: 'Ill', canceledAt }
  })
  t.match((await stateAfter([canceledA], haveOurs)).bookings[0], {
    cancellation: { cancelerType: 'host', canceledBy: 'Hedy Host', canceledAt }
  })
})

t.test(
  'a booking of ours that is moved on Calendly’s page stays one, in whatever order that is told',
  async (t) => {
    const tracking = { utmTerm: ours.id }
    const last = { startTime: tuesday + 3 * hourMs }
    const moved = (id: string, next: string, oldInvitee?: string, time = {}) => ({
      invitee: anInvitee(id, {
        tracking,
        oldInvitee,
        status: 'canceled',
        rescheduled: true,
        newInvitee: inviteeUri(next)
      }),
      event: anEvent(id, { ...time, status: 'canceled' })
    })
    const told: readonly Fact[] = [
      { invitee: anInvitee('A', { tracking }), event: anEvent('A') },
      moved('A', 'B'),
      { invitee: anInvitee('B', { tracking, oldInvitee: inviteeUri('A') }), event: anEvent('B', later) },
      moved('B', 'C', inviteeUri('A'), later),
      { invitee: anInvitee('C', { tracking, oldInvitee: inviteeUri('B') }), event: anEvent('C', last) }
    ]
    const lost = aBooking({ ...ours, status: 'unknown', calendly: {}, hosts: [{ user: host }] })
    const inEveryOrder = (left: readonly Fact[]): Fact[][] =>
      left.length === 0
        ? [[]]
        : left.flatMap((first) =>
            inEveryOrder(left.filter((fact) => fact !== first)).map((rest) => [first, ...rest])
          )
    /** Confirmed and moved twice; or moved before we had heard what became of it. */
    const ways = [
      { facts: told, before: haveOurs, end: last },
      { facts: told.slice(0, 3), before: (tables: BookingTables) => tables.bookings.insert(lost), end: later }
    ]
    for (const { facts, before, end } of ways) {
      const start = (end.startTime - tuesday) / minuteMs
      for (const order of inEveryOrder(facts)) {
        const name = order.map(({ invitee: { uri, status } }) => `${status} ${uri.at(-1)}`).join(', ')
        const [state, again] = await statesAfter([order, order.toReversed()], before)
        t.match(
          state,
          {
            bookings: [{ id: ours.id, status: 'confirmed', change: undefined, startTime: end.startTime }],
            claims: [[start, start + 30]]
          },
          name
        )
        t.equal(state?.bookings.length, 1, name)
        t.same(again?.claims, state?.claims, `${name}, and all of it once more`)
      }
    }
  }
)
