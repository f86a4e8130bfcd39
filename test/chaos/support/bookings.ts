import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { standard } from '../../../src/sandbox/standard.ts'
import type { Answer } from '../../support/service.ts'
import { availabilityQuery } from './reads.ts'
import type { Service } from './service.ts'
import { patienceMs, type Stage } from './stage.ts'

const dayMs = 86_400_000
/** Of the five seats of a session: a booking made twice then finds room, and is seen. */
const seatsUsed = 4

export type Wish = {
  key: string
  email: string
  startTime: string
  /** The workshop unless told otherwise. */
  eventType?: string
  holdId?: string
  /** Instead of the admin's key. */
  callerKey?: string
}

// A group event, since only for those Calendly would take the same booking twice.
export const workshop = standard.eventTypes.workshop

const locations: Readonly<Record<string, { kind: string }>> = {
  [workshop]: { kind: 'zoom_conference' },
  [standard.eventTypes.thirtyMinutes]: { kind: 'google_conference' }
}

/** Wishes for the seats of coming sessions, none of which is in the way of another. */
export async function wishes(stage: Stage, service: Service, count: number): Promise<Wish[]> {
  const startTimes = await freeTimes(stage, service, workshop)
  return Array.from({ length: count }, (_, i) => {
    const startTime = startTimes[Math.floor(i / seatsUsed)]
    if (startTime === undefined) throw new Error(`no free time for ${count} bookings`)
    return { key: `key-${i}`, email: `person-${i}@example.com`, startTime }
  })
}

/** When a booking can start, from tomorrow on. */
export async function freeTimes(stage: Stage, { address }: Service, eventType: string): Promise<string[]> {
  const startTime = Date.now() + dayMs
  const range = { eventType, startTime, endTime: startTime + 60 * dayMs }
  const { body, text } = await stage.ask(`${address}/api/v1/availability?${availabilityQuery(range)}`)
  assert(Array.isArray(body.days), text)
  return body.days.flatMap((day: { slots: { start_time: string }[] }) =>
    day.slots.map(({ start_time }) => start_time)
  )
}

export function book(stage: Stage, address: string, wish: Wish): Promise<Answer> {
  const { key, email, startTime, eventType = workshop, holdId, callerKey } = wish
  const location = locations[eventType]
  return stage.ask(`${address}/api/v1/bookings`, {
    method: 'POST',
    idempotencyKey: key,
    ...(callerKey !== undefined && { key: callerKey }),
    body: {
      event_type: eventType,
      start_time: startTime,
      invitee: { name: 'Grace Example', email, timezone: 'Europe/Berlin' },
      ...(location !== undefined && { location }),
      ...(holdId !== undefined && { hold_id: holdId })
    }
  })
}

/** Sends the same request again, as a careful client does, until it is answered for good. */
export async function insist(send: () => Promise<Answer>, withinMs = patienceMs): Promise<Answer> {
  const latest = Date.now() + withinMs
  for (;;) {
    const answer = await send().catch(() => undefined)
    if (answer && isFinal(answer)) return answer
    assert(Date.now() < latest, `no answer for good, the last was ${answer?.text ?? 'none'}`)
    const retryAfter = Number(answer?.headers['retry-after'] ?? 0.1)
    await sleep(retryAfter * 1_000)
  }
}

const isFinal = ({ status, body }: Answer) =>
  status < 500 && status !== 408 && status !== 429 && body?.code !== 'idempotency_in_progress'

/** Books, and where the outcome was unknown follows the booking until it is known. */
export async function bookForSure(stage: Stage, { address }: Service, wish: Wish): Promise<Answer['body']> {
  const answer = await insist(() => book(stage, address, wish))
  assert([201, 202].includes(answer.status), `${wish.key}: ${answer.status} ${answer.text}`)
  return settled(stage, address, answer.body.id)
}

/** The booking once nothing of it is under way any more. */
export async function settled(stage: Stage, address: string, id: string): Promise<Answer['body']> {
  const { body } = await stage.until(
    `${id} is settled`,
    () => insist(() => stage.ask(`${address}/api/v1/bookings/${id}`)),
    ({ body }) => !['pending', 'unknown'].includes(body.status) && body.change === null
  )
  return body
}

/** Books all of them at the same time. A failure is heard of by whoever awaits the end, and no sooner. */
export function bookAllForSure(stage: Stage, service: Service, wished: readonly Wish[]): Promise<unknown> {
  const all = Promise.all(wished.map((wish) => bookForSure(stage, service, wish)))
  all.catch(() => {})
  return all
}

/** Every booking the service has. */
export async function allBookings(stage: Stage, { address }: Service): Promise<Answer['body'][]> {
  const found: Answer['body'][] = []
  let cursor: string | null = null
  do {
    const query = new URLSearchParams({ limit: '200', ...(cursor !== null && { cursor }) })
    const { body }: Answer = await stage.ask(`${address}/api/v1/bookings?${query}`)
    found.push(...body.data)
    cursor = body.next_cursor
  } while (cursor !== null)
  return found
}

/** The invitees that Calendly expects. */
export async function activeInvitees(
  stage: Stage
): Promise<{ uri: string; email: string; startTime: number }[]> {
  const { scheduled_events } = await stage.control('GET', '/state')
  return scheduled_events.flatMap((event: { start_time: string; invitees: { status: string }[] }) =>
    event.invitees
      .filter(({ status }) => status === 'active')
      .map((invitee) => ({ ...invitee, startTime: Date.parse(event.start_time) }))
  )
}

/**
 * Each wish is one confirmed booking here and the same one invitee at Calendly, and nothing else is there – but what
 * could not be sent, where that may have been: it stays as rejected.
 */
export async function assertOneEach(
  stage: Stage,
  service: Service,
  wished: readonly Wish[],
  { mayBeUnsent = false } = {}
): Promise<void> {
  const expected = wished.map(({ email }) => email).sort()
  const invitees = await activeInvitees(stage)
  assert.deepEqual(invitees.map(({ email }) => email).sort(), expected, 'one invitee each at Calendly')
  const bookings = await allBookings(stage, service)
  const confirmed = bookings.filter(({ status }) => status === 'confirmed')
  assert.deepEqual(confirmed.map(({ invitee }) => invitee.email).sort(), expected, 'one booking each here')
  const counted = bookings.filter(({ status }) => !(mayBeUnsent && status === 'rejected'))
  assert.equal(counted.length, wished.length, 'no booking besides')
  assert.deepEqual(
    confirmed.map(({ calendly }) => calendly.invitee).sort(),
    invitees.map(({ uri }) => uri).sort(),
    'each booking is its invitee'
  )
}

/** Resolves when no booking's outcome is open any more. */
export function untilResolved(stage: Stage, { address }: Service): Promise<Answer> {
  return stage.until(
    'no booking is unresolved',
    () => stage.ask(`${address}/api/health/calendly`),
    ({ body }) => body.oldest_unresolved_booking === null
  )
}

/** Counts from now on how often Calendly is asked to book, however much else it is asked. */
export async function countPosts(stage: Stage): Promise<() => Promise<number>> {
  const match = { method: 'POST', path: '/invitees' }
  await stage.control('POST', '/faults', { kind: 'latency', latency_ms: 0, match })
  return async () => {
    const { faults } = await stage.control('GET', '/faults')
    return faults[0].hits
  }
}

/** How often Calendly was asked to book, among the last 10,000 requests. */
export async function postsToCalendly(stage: Stage): Promise<number> {
  const { requests } = await stage.control('GET', '/requests')
  const isPost = ({ method, path }: { method: string; path: string }) =>
    method === 'POST' && path === '/invitees'
  return requests.filter(isPost).length
}
