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

export type Wish = { key: string; email: string; startTime: string }

// A group event, since only for those Calendly would take the same booking twice.
const eventType = standard.eventTypes.workshop

/** Wishes for the seats of coming sessions, none of which is in the way of another. */
export async function wishes(stage: Stage, service: Service, count: number): Promise<Wish[]> {
  const startTimes = await freeTimes(stage, service, eventType)
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

export function book(stage: Stage, address: string, { key, email, startTime }: Wish): Promise<Answer> {
  return stage.ask(`${address}/api/v1/bookings`, {
    method: 'POST',
    idempotencyKey: key,
    body: {
      event_type: eventType,
      start_time: startTime,
      invitee: { name: 'Grace Example', email, timezone: 'Europe/Berlin' },
      location: { kind: 'zoom_conference' }
    }
  })
}

/** Sends the same request again, as a careful client does, until it is answered for good. */
export async function insist(send: () => Promise<Answer>): Promise<Answer> {
  const latest = Date.now() + patienceMs
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
  const { body } = await stage.until(
    `${wish.key} is settled`,
    () => insist(() => stage.ask(`${address}/api/v1/bookings/${answer.body.id}`)),
    ({ body }) => !['pending', 'unknown'].includes(body.status)
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
export async function activeInvitees(stage: Stage): Promise<{ uri: string; email: string }[]> {
  const { scheduled_events } = await stage.control('GET', '/state')
  return scheduled_events.flatMap(({ invitees }: { invitees: { status: string }[] }) =>
    invitees.filter(({ status }) => status === 'active')
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

/** How often Calendly was asked to book. */
export async function postsToCalendly(stage: Stage): Promise<number> {
  const { requests } = await stage.control('GET', '/requests')
  const isPost = ({ method, path }: { method: string; path: string }) =>
    method === 'POST' && path === '/invitees'
  return requests.filter(isPost).length
}
