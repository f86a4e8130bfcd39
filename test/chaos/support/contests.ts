import assert from 'node:assert/strict'
import { standard, standardSeed } from '../../../src/sandbox/standard.ts'
import type { Answer } from '../../support/service.ts'
import { book, freeTimes, workshop } from './bookings.ts'
import { type Replicas, replicaOf } from './service.ts'
import type { Stage } from './stage.ts'

const idOf = (uri: string) => uri.slice(uri.lastIndexOf('/') + 1)

/** Round robin, of two hosts whom nobody else wants. */
export const eitherOfTwo = {
  id: 'EITHEROFTWO23456',
  team: idOf(standardSeed.teams[0]?.id ?? ''),
  pooling: {
    type: 'round_robin' as const,
    pools: [[idOf(standard.users.lena), idOf(standard.users.tomas)]] as [[string, string]]
  },
  name: 'Either of two',
  slug: 'either-of-two'
}
const pool = `https://api.calendly.com/event_types/${eitherOfTwo.id}`

type Contest = {
  what: string
  eventType: string
  startTimes: readonly string[]
  places: number
  callers: number
}

/** Callers at the same moment for what there is only so much of: exactly so many get it, and nobody else reaches Calendly. */
export async function runContests(stage: Stage, replicas: Replicas, callers: number): Promise<string[]> {
  const [service] = replicas
  const { introCall } = standard.eventTypes
  const [seat, place, day] = await Promise.all([
    freeTimes(stage, service, workshop),
    freeTimes(stage, service, pool),
    freeTimes(stage, service, introCall)
  ])
  // Both are at work then, in either zone.
  const noon = place.filter((startTime) => startTime.includes('T12:00'))
  const perDay = 7
  const date = day.at(-1)?.slice(0, 10)
  await put(stage, `${service.address}/api/v1/event-types/${idOf(introCall)}/settings`, {
    max_per_day: perDay
  })
  const contests: Contest[] = [
    { what: 'seats of a session', eventType: workshop, startTimes: seat.slice(-1), places: 5, callers },
    { what: 'hosts of a pool', eventType: pool, startTimes: noon.slice(-1), places: 2, callers },
    {
      what: 'places in a day',
      eventType: introCall,
      startTimes: day.filter((startTime) => startTime.slice(0, 10) === date),
      places: perDay,
      callers
    }
  ]
  for (const contest of contests) await run(stage, replicas, contest)
  return contests.map(({ what, places }) => `${places} ${what} for ${callers}`)
}

/** Every other caller holds first; who got a hold can book with it. */
async function run(stage: Stage, replicas: Replicas, contest: Contest): Promise<void> {
  const { what, eventType, startTimes, places, callers } = contest
  const wants = async (caller: number, holdId?: string) => {
    const startTime = startTimes[caller % startTimes.length] ?? ''
    const key = `${idOf(eventType)}-${caller}`
    const { address } = replicaOf(replicas, caller >> 1)
    const wish = { key, email: `${key.toLowerCase()}@example.com`, startTime, eventType }
    return caller % 2 === 0 || holdId !== undefined
      ? book(stage, address, { ...wish, ...(holdId !== undefined && { holdId }) })
      : hold(stage, address, { startTime, eventType })
  }
  const answers = await Promise.all(Array.from({ length: callers }, (_, caller) => wants(caller)))
  const winners = [...answers.keys()].filter((caller) => answers[caller]?.status === 201)
  for (const { status, text } of answers) assert([201, 409].includes(status), `${what}: ${status} ${text}`)
  const losers = answers.filter(({ status }) => status === 409)
  for (const { body } of losers) {
    assert.equal(body.code, 'slot_unavailable', what)
    assert(body.conflicts.length > 0, `${what}: why not`)
  }
  assert.equal(winners.length, places, `${places} ${what}, for exactly so many`)
  for (const caller of winners.filter((caller) => caller % 2 === 1)) {
    const { status, text } = await wants(caller, answers[caller]?.body.id)
    assert.equal(status, 201, `${what}: whoever holds can book: ${text}`)
  }
  await assertBooked(stage, contest)
}

async function assertBooked(stage: Stage, { what, eventType, places }: Contest): Promise<void> {
  const { scheduled_events: events } = await stage.control('GET', '/state')
  const seats = events
    .filter((event: { event_type: string }) => event.event_type === eventType)
    .flatMap(({ invitees }: { invitees: { status: string }[] }) => invitees)
  assert.equal(seats.length, places, `${what}, at Calendly`)
}

export function hold(
  stage: Stage,
  address: string,
  { startTime, eventType, callerKey }: { startTime: string; eventType: string; callerKey?: string }
): Promise<Answer> {
  return stage.ask(`${address}/api/v1/holds`, {
    method: 'POST',
    ...(callerKey !== undefined && { key: callerKey }),
    body: { event_type: eventType, start_time: startTime, ttl_seconds: 900 }
  })
}

async function put(stage: Stage, url: string, body: object): Promise<void> {
  const { status, text } = await stage.ask(url, { method: 'PUT', body })
  assert.equal(status, 200, text)
}
