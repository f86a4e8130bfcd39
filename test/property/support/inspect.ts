import assert from 'node:assert/strict'
import type { Answer } from '../../support/service.ts'
import type { Scene } from './deeds.ts'
import { activeHolds, type Kind, kinds, type Model, quarterMs } from './model.ts'

const dayMs = 86_400_000
const minuteMs = 60_000

type Taken = { id: string; kind: Kind; from: number; to: number; isFact: boolean }

/** Everything that must hold after whatever was done: what the service says is what Calendly and the model say. */
export async function inspect(model: Model, scene: Scene): Promise<void> {
  const [bookings, holds, seats] = await Promise.all([
    bookingsOf(scene),
    holdsOf(model, scene),
    seatsOf(scene)
  ])
  const live = bookings.filter(({ status }) => status === 'confirmed')
  const ended = bookings.filter(({ status }) => !['confirmed', 'canceled', 'rejected'].includes(status))
  assert.deepEqual(ended, [], 'nothing is open')

  const slotOf = (time: number) => (time - scene.firstStart) / quarterMs
  const expected = model.bookings.filter(({ isLive }) => isLive)
  assert.deepEqual(
    live.map(({ id, start_time }) => `${id} ${slotOf(Date.parse(start_time))}`).sort(),
    expected.map(({ id, slot }) => `${id} ${slot}`).sort(),
    'the bookings are those of the model'
  )
  assert.deepEqual(
    seats.map(({ email, start }) => `${email} ${slotOf(start)}`).sort(),
    expected.map(({ email, slot }) => `${email} ${slot}`).sort(),
    'Calendly expects those'
  )
  assert.deepEqual(
    holds.map(({ id, status }) => `${id} ${status}`),
    model.holds.map(({ id, status }) => `${id} ${status}`),
    'no hold has ended without a word'
  )
  assertApart(takenOf(model, scene, live, holds), model)
}

async function bookingsOf({ world, firstStart }: Scene): Promise<Answer['body'][]> {
  const query = new URLSearchParams({
    limit: '200',
    start_time_from: new Date(firstStart - dayMs / 4).toISOString(),
    start_time_to: new Date(firstStart + dayMs / 2).toISOString()
  })
  return (await world.ask('GET', `/api/v1/bookings?${query}`)).body.data
}

const holdsOf = ({ holds }: Model, { world }: Scene): Promise<Answer['body'][]> =>
  Promise.all(holds.map(async ({ id }) => (await world.ask('GET', `/api/v1/holds/${id}`)).body))

async function seatsOf({ world, firstStart }: Scene): Promise<{ email: string; start: number }[]> {
  const { scheduled_events: events } = await world.control('GET', '/state')
  const seats: { email: string; start: number }[] = []
  for (const { start_time, invitees } of events) {
    const start = Date.parse(start_time)
    if (start < firstStart || start >= firstStart + dayMs / 2) continue
    for (const { email, status } of invitees) if (status === 'active') seats.push({ email, start })
  }
  return seats
}

/** As the service shows it, and whose it is. */
function takenOf(
  model: Model,
  { eventTypes }: Scene,
  live: readonly Answer['body'][],
  holds: readonly Answer['body'][]
): Taken[] {
  const facts = new Set(model.bookings.filter(({ isFact }) => isFact).map(({ id }) => id))
  const active = new Set(activeHolds(model).map(({ id }) => id))
  return [...live, ...holds.filter(({ id }) => active.has(id))].map(
    ({ id, event_type, start_time, end_time }) => ({
      id,
      kind: event_type === eventTypes.group ? 'group' : 'meeting',
      from: Date.parse(start_time),
      to: Date.parse(end_time),
      isFact: facts.has(id)
    })
  )
}

/** What was made here has its time for itself, buffers included, and no session has more than its seats. */
function assertApart(taken: readonly Taken[], { settings }: Model): void {
  const busy = ({ from, to, isFact }: Taken) =>
    isFact
      ? { from, to }
      : {
          from: from - settings.bufferBeforeMinutes * minuteMs,
          to: to + settings.bufferAfterMinutes * minuteMs
        }
  const sessionOf = ({ id, kind, from }: Taken) => (kind === 'group' ? `group at ${from}` : id)
  for (const [i, one] of taken.entries()) {
    for (const other of taken.slice(i + 1)) {
      if (sessionOf(one) === sessionOf(other)) continue
      const [a, b] = one.isFact || other.isFact ? [one, other] : [busy(one), busy(other)]
      assert(a.to <= b.from || b.to <= a.from, `${one.id} and ${other.id} have the same time`)
    }
  }
  for (const [session, owners] of Map.groupBy(taken, sessionOf)) {
    assert(owners.length <= kinds[owners[0]?.kind ?? 'meeting'].seats, `${session} is oversold`)
  }
}
