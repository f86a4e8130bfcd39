import {
  type Availability,
  compose,
  isSame,
  openSlots,
  type Part,
  type Rendering,
  slotsIn
} from './availability-answer.ts'
import type { BookingReads } from './booking-tables.ts'
import type { AvailableTime, EventType } from './calendly.ts'
import type { Caller } from './callers.ts'
import { AppError } from './errors.ts'
import { createMemo } from './memo.ts'
import { createSharing } from './sharing.ts'
import type { Slot } from './slots.ts'
import type { System } from './system.ts'

const longestRangeMs = 180 * 86_400_000
const mostEventTypes = 20
/** In the answers that are kept; with its text a slot is some 600 bytes. */
const mostSlotsKept = 50_000
// About what an answer takes beside its slots.
const slotsOfEmpty = 10

export type AvailabilityQuery = Rendering & {
  eventTypes: readonly string[]
  startTime: number
  endTime: number
  /** Goes past the cache. */
  fresh: boolean
}

type Deps = {
  system: System
  reads: Pick<BookingReads, 'claimsBetween'>
  calendly: {
    getEventType: (tenantId: string, uri: string) => Promise<EventType>
    listHosts: (eventType: EventType) => Promise<readonly string[]>
    availableTimes: (query: {
      eventType: string
      startTime: number
      endTime: number
      fresh?: boolean
    }) => Promise<{ times: readonly AvailableTime[]; asOf: number; stale: boolean }>
  }
}

export function createAvailability({ system, reads, calendly }: Deps) {
  const answers = createMemo<{ parts: readonly Part[]; answer: Availability }>(mostSlotsKept)
  const share = createSharing<Availability>()

  return {
    /**
     * What can be booked now, in the caller's zone. One unknown event type fails the whole. While nothing has
     * changed, the same question is answered with the same object.
     */
    async find({ tenantId }: Caller, query: AvailabilityQuery): Promise<Availability> {
      checkRange(query, system.now())
      const { eventTypes, startTime, endTime, timeZone, locale, fresh } = query
      if (fresh) return compose(await readParts(tenantId, query), query)
      const question = JSON.stringify([tenantId, startTime, endTime, timeZone, locale, eventTypes])
      return share(question, async () => {
        const parts = await readParts(tenantId, query)
        const kept = answers.get(question)
        if (kept && isSame(kept.parts, parts)) return kept.answer
        const answer = compose(parts, query)
        answers.set(question, { parts, answer }, slotsIn(answer) + slotsOfEmpty)
        return answer
      })
    },

    async openTimes(...asked: Parameters<typeof readPart>): Promise<{ slots: Slot[] }> {
      return openSlots(await readPart(...asked))
    }
  }

  async function readParts(tenantId: string, query: AvailabilityQuery): Promise<Part[]> {
    const eventTypes = await Promise.all(
      [...new Set(query.eventTypes)].map((uri) => calendly.getEventType(tenantId, uri))
    )
    const { startTime, endTime, fresh } = query
    return Promise.all(
      eventTypes.map((eventType) => readPart(tenantId, eventType, startTime, endTime, fresh))
    )
  }

  async function readPart(
    tenantId: string,
    eventType: EventType,
    startTime: number,
    endTime: number,
    fresh = false
  ): Promise<Part> {
    const [{ times, asOf, stale }, hosts] = await Promise.all([
      calendly.availableTimes({
        eventType: eventType.uri,
        startTime: Math.max(startTime, system.now()),
        endTime,
        fresh
      }),
      calendly.listHosts(eventType)
    ])
    // Read after Calendly's answer, so that a booking made meanwhile is in one of the two.
    const lastEnd = endTime + eventType.durationMinutes * 60_000
    const claims = await reads.claimsBetween(tenantId, hosts, startTime, lastEnd)
    return { eventType, hosts, times, claims, asOf, stale }
  }
}

export type AvailabilityService = ReturnType<typeof createAvailability>

function checkRange({ eventTypes, startTime, endTime }: AvailabilityQuery, now: number): void {
  const refuse = (pointer: string, detail: string): never => {
    throw new AppError('validation_failed', `${pointer.slice(2)}: ${detail}`, {
      faults: [{ pointer, detail }]
    })
  }
  if (endTime <= startTime) refuse('#/end_time', 'must be after start_time')
  if (endTime <= now) refuse('#/end_time', 'has passed')
  if (endTime - Math.max(startTime, now) > longestRangeMs)
    throw new AppError('range_too_long', 'Ask for at most 180 days.')
  if (new Set(eventTypes).size > mostEventTypes) {
    throw new AppError('too_many_event_types', `Ask for at most ${mostEventTypes} event types.`)
  }
}
