import t from 'tap'
import type { BookingTables } from '../../src/core/booking-tables.ts'
import { createFacts } from '../../src/core/facts.ts'
import { applyNoShow } from '../../src/core/no-shows.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { openTestEngine } from '../support/database.ts'
import { anEvent, anInvitee, inviteeUri, minuteMs, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'
import { type Fact, faultsOf, inOrder, liveOf, tellingOf, type World, worldOf } from './support/chains.ts'

t.setTimeout(300_000)
const engine = await openTestEngine(t)
const { apply } = createFacts({ system: fakeSystem() })

function ordersOf<T>(left: readonly T[]): T[][] {
  if (left.length === 0) return [[]]
  return left.flatMap((one) => ordersOf(left.filter((other) => other !== one)).map((rest) => [one, ...rest]))
}

/** Told as the inbox does; nothing of it stays. */
async function told(facts: readonly Fact[]): Promise<World> {
  let world: World | undefined
  const nothing = new Error('nothing of it stays')
  const tell = async (tables: BookingTables, { name, invitee, event }: Fact) => {
    await apply(tables, 'default', invitee, event, 'webhook')
    if (name.includes('no-show')) await applyNoShow(tables, 'default', invitee, { now: tuesday })
  }
  await engine
    .transaction(async (tx) => {
      for (const fact of facts) await tell(tablesOf(tx), fact)
      world = await worldOf(tx)
      throw nothing
    })
    .catch((error) => {
      if (error !== nothing) throw error
    })
  if (!world) throw new Error('nothing was looked at')
  return world
}

const updated = (minutes: number) => tuesday + minutes * minuteMs
function noShowOf(place: string, minutes: number, isMarked: boolean, of = {}): Fact {
  const noShow = { uri: `https://no-show-${minutes}`, createdAt: updated(minutes) }
  return {
    name: `${isMarked ? '' : 'no '}no-show ${minutes}`,
    invitee: anInvitee(place, { ...of, updatedAt: updated(minutes), ...(isMarked && { noShow }) }),
    event: anEvent(place)
  }
}

t.test('a no-show that is marked and removed stands as it was set last', async (t) => {
  const created = { name: 'created', invitee: anInvitee('A'), event: anEvent('A') }
  const toggles = [noShowOf('A', 1, true), noShowOf('A', 2, false), noShowOf('A', 3, true)]
  for (const [facts, isMarked] of [
    [[created, ...toggles], true],
    [[created, ...toggles, noShowOf('A', 4, false)], false]
  ] as const) {
    for (const order of ordersOf<Fact>(facts)) {
      const name = order.map((fact) => fact.name).join(', ')
      const twice = [...order, ...order.toReversed()]
      const { bookings, events } = await told(twice)
      const changes = events.map(({ type }) => type).filter((type) => type.includes('no_show'))
      const [booking] = bookings
      t.same(
        {
          count: bookings.length,
          noShow: booking?.noShow,
          uri: booking?.noShowUri,
          confirmed: events.filter(({ type }) => type === 'booking.confirmed').length,
          alternating: changes.every(
            (type, nth) => type === `booking.no_show${nth % 2 === 0 ? '' : '_removed'}`
          ),
          last: changes.length % 2 === 1
        },
        {
          count: 1,
          noShow: isMarked,
          uri: isMarked ? 'https://no-show-3' : undefined,
          confirmed: 1,
          alternating: true,
          last: isMarked
        },
        name
      )
    }
  }
})

t.test('a no-show belongs to the time at which nobody came', async (t) => {
  const [createdA, canceledA, createdB] = tellingOf('AB', { isCanceled: false })
  const facts = [createdA, canceledA, createdB, noShowOf('A', 1, true)].filter((fact) => fact !== undefined)
  for (const order of ordersOf(facts)) {
    const world = await told(order)
    const name = order.map((fact) => fact.name).join(', ')
    t.match(world.bookings, [{ noShow: false, calendly: { invitee: inviteeUri('B') } }], name)
    t.equal(world.bookings.length, 1)
    t.same(faultsOf(world), [])
  }
  const old = { oldInvitee: inviteeUri('A') }
  const { bookings } = await told([...facts, noShowOf('B', 2, true, old)])
  t.match(bookings, [{ noShow: true, noShowUri: 'https://no-show-2' }], 'and is marked anew at the next')
})

t.test('of a group event one is canceled and the others stay, in every order', async (t) => {
  const inviteesCounter = { total: 3, active: 2, limit: 5 }
  const seat = (name: string, changes = {}): Fact => ({
    name,
    invitee: anInvitee('G', {
      uri: `${inviteeUri('G')}-${name.slice(-1)}`,
      email: `${name.slice(-1)}@example.com`,
      ...changes
    }),
    event: anEvent('G', { inviteesCounter })
  })
  const facts = [
    seat('created 1'),
    seat('created 2'),
    seat('created 3'),
    seat('canceled 2', { status: 'canceled', cancellation: { cancelerType: 'invitee' } })
  ]
  for (const order of ordersOf(facts)) {
    const { bookings } = await told([...order, ...order])
    const name = order.map((fact) => fact.name).join(', ')
    t.same(
      bookings.map(({ invitee, status }) => `${invitee.email} ${status}`).toSorted(),
      ['1@example.com confirmed', '2@example.com canceled', '3@example.com confirmed'],
      name
    )
  }
})

t.test('what is canceled before it was heard of is not revived', async (t) => {
  const [created, canceled] = tellingOf('A')
  if (!created || !canceled) throw new Error('a chain of one has two facts')
  for (const order of [
    [canceled, created],
    [canceled, created, canceled, created],
    [created, canceled, created]
  ]) {
    const world = await inOrder(engine, order, async () => {})
    t.match(liveOf(world), [{ status: 'canceled', startTime: tuesday }])
    t.same(world.claims, [])
    t.same(faultsOf(world), [])
  }
})
