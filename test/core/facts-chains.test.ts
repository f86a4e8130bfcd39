import fc from 'fast-check'
import type { Kysely } from 'kysely'
import t from 'tap'
import type { BookingTables } from '../../src/core/booking-tables.ts'
import type { Tables } from '../../src/database/tables.ts'
import { openTestEngine } from '../support/database.ts'
import { aBooking, anEvent, host, inviteeUri, tuesday } from '../support/samples.ts'
import {
  type Fact,
  faultsOf,
  hourMs,
  inEveryOrder,
  inOrder,
  liveOf,
  tellingOf,
  type World,
  worldOf
} from './support/chains.ts'

// Hundreds of orders, on machines that do other things besides.
t.setTimeout(600_000)
const engine = await openTestEngine(t)

const ours = aBooking({
  id: 'bkg_ours',
  status: 'confirmed',
  hosts: [{ user: host, name: 'Hedy Host' }],
  calendly: { event: anEvent('A').uri, invitee: inviteeUri('A') }
})
async function haveClaim({ claims }: BookingTables): Promise<void> {
  const { id, startTime, endTime } = ours
  const claim = { tenantId: 'default', ownerId: id, session: id, hosts: [host], startTime, endTime }
  await claims.take({ ...claim, mode: 'all' })
}
async function haveOurs(tables: BookingTables): Promise<void> {
  await tables.bookings.insert(ours)
  await tables.invitees.put('default', { uri: inviteeUri('A'), bookingId: ours.id, state: 'active' })
  const confirmed = { tenantId: 'default', type: 'booking.confirmed', subject: ours.id, at: tuesday } as const
  await tables.events.add({ ...confirmed, data: { booking: ours } })
  await haveClaim(tables)
}
async function haveLost(tables: BookingTables): Promise<void> {
  await tables.bookings.insert({ ...ours, status: 'unknown', calendly: {}, hosts: [{ user: host }] })
  await haveClaim(tables)
}

const tracking = { utmTerm: ours.id }
const origins = [
  { origin: 'on Calendly’s page', id: undefined, before: async () => {}, of: {}, isLong: true },
  { origin: 'by us', id: ours.id, before: haveOurs, of: { tracking }, isLong: false },
  { origin: 'by us, with another e-mail there', id: ours.id, before: haveOurs, of: {}, isLong: false },
  { origin: 'by us, with its answer lost', id: ours.id, before: haveLost, of: { tracking }, isLong: true }
]

const nameOf = (heard: readonly Fact[]) => heard.map(({ name }) => name).join(', ')

/** What is left of a chain of which everything was told. */
function endOf(world: World, isOurs: boolean) {
  const [live, ...others] = liveOf(world)
  return {
    others: others.length,
    ...(isOurs && { id: live?.id }),
    status: live?.status,
    change: live?.change,
    invitee: live?.calendly.invitee,
    moves: live?.reschedules.map(({ from, to }) => [(from - tuesday) / hourMs, (to - tuesday) / hourMs]),
    by: live?.cancellation?.canceledBy,
    confirmed: world.events.filter(
      ({ subject, type }) => subject === live?.id && type === 'booking.confirmed'
    ).length
  }
}

function wanted(places: string, isCanceled: boolean, id: string | undefined, first: Fact | undefined) {
  const last = places.at(-1) ?? ''
  // Whose end was heard of first was never there for us.
  const isOver = id === undefined && first?.name === `canceled ${last}`
  return {
    others: 0,
    ...(id !== undefined && { id }),
    status: isCanceled ? 'canceled' : 'confirmed',
    change: undefined,
    invitee: inviteeUri(last),
    moves: [...places].slice(1).map((_, index) => [index, index + 1]),
    by: isCanceled ? 'Ada Example' : undefined,
    confirmed: isOver ? 0 : 1
  }
}

for (const { origin, id, before, of, isLong } of origins) {
  // Of six facts there are 720 orders, of five 120.
  for (const isCanceled of isLong ? [true, false] : [false]) {
    const facts = tellingOf('ABC', { isCanceled, of })

    t.test(`booked ${origin}, moved twice and ${isCanceled ? 'canceled' : 'kept'}`, async (t) => {
      const wrong: string[] = []
      let ends = 0
      const look = async (
        heard: readonly Fact[],
        db: Kysely<Tables>,
        tell: (fact: Fact) => Promise<void>
      ) => {
        const world = await worldOf(db)
        const faults = faultsOf(world)
        if (heard.length === facts.length) {
          const found = JSON.stringify(endOf(world, id !== undefined))
          if (found !== JSON.stringify(wanted('ABC', isCanceled, id, heard[0]))) faults.push(found)
          if (ends++ % 8 === 0) {
            for (const fact of heard.toReversed()) await tell(fact)
            const again = JSON.stringify(await worldOf(db))
            if (again !== JSON.stringify(world)) faults.push('told once more it is another')
          }
        }
        wrong.push(...faults.map((fault) => `${nameOf(heard)}: ${fault}`))
      }
      await inEveryOrder(engine, facts, before, look)
      t.same(wrong, [], 'it is one booking, in whatever order that is told, and each fact has one event')
      t.equal(ends, isCanceled ? 720 : 120)
    })
  }

  t.test(`booked ${origin} and moved four times, told anyhow and some of it twice`, async (t) => {
    const orders = fc.record({
      isCanceled: fc.boolean(),
      order: fc.array(fc.nat(), { minLength: 10, maxLength: 10 }),
      copies: fc.array(fc.nat(9), { maxLength: 4 })
    })
    const numRuns = Number(process.env.FAST_CHECK_RUNS ?? 25)
    await fc.assert(
      fc.asyncProperty(orders, async ({ isCanceled, order, copies }) => {
        const facts = tellingOf('ABCDE', { isCanceled, of })
        const told = [...facts, ...copies.flatMap((nth) => facts[nth] ?? [])]
          .map((fact, index) => ({ fact, at: order[index % 10] ?? 0 }))
          .toSorted((one, other) => one.at - other.at)
          .map(({ fact }) => fact)
        const world = await inOrder(engine, told, before)
        const found = [...faultsOf(world), JSON.stringify(endOf(world, id !== undefined))]
        const want = JSON.stringify(wanted('ABCDE', isCanceled, id, told[0]))
        if (found.join() !== want) throw new Error(`${nameOf(told)}: ${found} instead of ${want}`)
      }),
      { numRuns }
    )
    t.pass('it is one booking')
  })
}
