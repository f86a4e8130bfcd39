import {
  type Availability,
  compose,
  isSame,
  type Part,
  type Rendering,
  slotsIn,
  split
} from './availability-answer.ts'
import type { BookingReads } from './booking-tables.ts'
import type { AvailableTime, EventType } from './calendly.ts'
import type { Caller } from './callers.ts'
import { AppError } from './errors.ts'
import { createMemo } from './memo.ts'
import { buffersOf, type EventTypeSettings, isTooSoon } from './settings.ts'
import { createSharing } from './sharing.ts'
import type { ExcludedSlot, Slot } from './slots.ts'
import type { System } from './system.ts'

const dayMs = 86_400_000
const longestRangeMs = 180 * dayMs
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
  reads: Pick<BookingReads, 'claimsBetween' | 'startsBetween' | 'uncountedBetween'>
  settings: { find: (tenantId: string, eventType: string) => Promise<EventTypeSettings> }
  calendly: {
    getEventType: (tenantId: string, uri: string) => Promise<EventType>
    listHosts: (eventType: EventType) => Promise<readonly string[]>
    timeZoneOf: (eventType: EventType) => Promise<string>
    availableTimes: (query: {
      eventType: string
      startTime: number
      endTime: number
      fresh?: boolean
    }) => Promise<{ times: readonly AvailableTime[]; asOf: number; stale: boolean }>
  }
  /** Told, at every answer, of bookings whose hosts Calendly offers for the time that they have. */
  doubt: (tenantId: string, bookings: readonly string[], asOf: number) => void
}

type Answer = { answer: Availability; contradicted: readonly string[] }

export function createAvailability({ system, reads, settings, calendly, doubt }: Deps) {
  const answers = createMemo<Answer & { parts: readonly Part[] }>(mostSlotsKept)
  const share = createSharing<Availability>()

  return {
    /**
     * What can be booked now, in the caller's zone. One unknown event type fails the whole. While nothing has
     * changed, the same question is answered with the same object.
     */
    async find({ tenantId }: Caller, query: AvailabilityQuery): Promise<Availability> {
      checkRange(query, system.now())
      const { eventTypes, startTime, endTime, timeZone, locale, fresh } = query
      if (fresh) return tell(tenantId, answerOf(await readParts(tenantId, query), query))
      const question = JSON.stringify([tenantId, startTime, endTime, timeZone, locale, eventTypes])
      return share(question, async () => {
        const parts = await readParts(tenantId, query)
        const kept = answers.get(question)
        if (kept && isSame(kept.parts, parts)) return tell(tenantId, kept)
        const made = answerOf(parts, query)
        answers.set(question, { parts, ...made }, slotsIn(made.answer) + slotsOfEmpty)
        return tell(tenantId, made)
      })
    },

    async openTimes(
      ...asked: Parameters<typeof readPart>
    ): Promise<{ slots: Slot[]; excluded: ExcludedSlot[]; stale: boolean }> {
      const part = await readPart(...asked)
      const { slots, excluded, contradicted } = split(part)
      if (contradicted.length > 0) doubt(asked[0], contradicted, part.asOf)
      return { slots, excluded, stale: part.stale }
    }
  }

  function answerOf(parts: readonly Part[], query: AvailabilityQuery): Answer {
    const found = parts.map(split)
    return {
      answer: compose(parts, found, query),
      contradicted: [...new Set(found.flatMap(({ contradicted }) => contradicted))]
    }
  }

  function tell(tenantId: string, { answer, contradicted }: Answer): Availability {
    if (contradicted.length > 0) doubt(tenantId, contradicted, answer.asOf)
    return answer
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
    const [offered, hosts, rules] = await Promise.all([
      calendly.availableTimes({
        eventType: eventType.uri,
        startTime: Math.max(startTime, system.now()),
        endTime,
        fresh
      }),
      calendly.listHosts(eventType),
      settings.find(tenantId, eventType.uri)
    ])
    const asked = { tenantId, eventType, startTime, endTime }
    // Read after Calendly's answer, so that a booking made meanwhile is in one of the two.
    const [claims, taken, uncounted] = await Promise.all([
      readClaims(asked, hosts, rules),
      rules.maxPerDay === undefined ? undefined : readTaken(asked),
      eventType.kind === 'group'
        ? reads.uncountedBetween(tenantId, eventType.uri, startTime, endTime, offered.asOf)
        : []
    ])
    const soonest = soonestOf(offered.times, rules)
    return { ...offered, eventType, hosts, settings: rules, claims, taken, uncounted, soonest }
  }

  type Asked = { tenantId: string; eventType: EventType; startTime: number; endTime: number }

  function readClaims(
    { tenantId, eventType, startTime, endTime }: Asked,
    hosts: readonly string[],
    rules: EventTypeSettings
  ) {
    const { beforeMs, afterMs } = buffersOf(rules)
    const lastEnd = endTime + eventType.durationMinutes * 60_000
    return reads.claimsBetween(tenantId, hosts, startTime - beforeMs, lastEnd + afterMs)
  }

  /** Of the whole days, in whatever zone, that the range touches. */
  async function readTaken({ tenantId, eventType, startTime, endTime }: Asked) {
    const [starts, timeZone] = await Promise.all([
      reads.startsBetween(tenantId, eventType.uri, startTime - 2 * dayMs, endTime + 2 * dayMs),
      calendly.timeZoneOf(eventType)
    ])
    return { starts, timeZone }
  }

  /** A time, and not a distance from now: it changes only when it leaves another one out. */
  function soonestOf(times: readonly AvailableTime[], rules: EventTypeSettings): number {
    const now = system.now()
    let soonest = Number.POSITIVE_INFINITY
    for (const { startTime } of times) {
      if (startTime < soonest && !isTooSoon(rules, startTime, now)) soonest = startTime
    }
    return soonest
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
