import type { BookingReads } from './booking-tables.ts'
import type { AvailableTime, EventType } from './calendly.ts'
import type { Caller } from './callers.ts'
import { AppError } from './errors.ts'
import { type ExcludedSlot, type Slot, subtractClaims } from './slots.ts'
import type { System } from './system.ts'
import { createLocalClock, createReader } from './time-zones.ts'

const longestRangeMs = 180 * 86_400_000
const mostEventTypes = 20

export type AvailabilityQuery = {
  eventTypes: readonly string[]
  startTime: number
  endTime: number
  timeZone: string
  /** Goes past the cache. */
  fresh: boolean
  /** BCP 47; adds a reader's rendering of each local time. */
  locale?: string | undefined
}

export type LocalSlot = Slot & {
  localStartTime: string
  localEndTime: string
  formattedStartTime?: string | undefined
  formattedEndTime?: string | undefined
}

export type Availability = {
  timeZone: string
  /** When the oldest part of the answer was read from Calendly. */
  asOf: number
  stale: boolean
  days: { date: string; slots: LocalSlot[] }[]
  excluded: ExcludedSlot[]
}

type OpenTimes = { slots: Slot[]; excluded: ExcludedSlot[]; asOf: number; stale: boolean }

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
  return {
    /** What can be booked now, in the caller's zone. One unknown event type fails the whole. */
    async find({ tenantId }: Caller, query: AvailabilityQuery): Promise<Availability> {
      checkRange(query, system.now())
      const eventTypes = await Promise.all(
        [...new Set(query.eventTypes)].map((uri) => calendly.getEventType(tenantId, uri))
      )
      const found = await Promise.all(
        eventTypes.map((eventType) =>
          openTimes(tenantId, eventType, query.startTime, query.endTime, query.fresh)
        )
      )
      return {
        timeZone: query.timeZone,
        asOf: Math.min(...found.map(({ asOf }) => asOf)),
        stale: found.some(({ stale }) => stale),
        days: intoDays(found.flatMap(({ slots }) => slots).sort(byStartThenEventType), query),
        excluded: found.flatMap(({ excluded }) => excluded).sort(byStartThenEventType)
      }
    },

    openTimes
  }

  async function openTimes(
    tenantId: string,
    eventType: EventType,
    startTime: number,
    endTime: number,
    fresh = false
  ): Promise<OpenTimes> {
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
    const claims = await reads.claimsBetween(
      tenantId,
      hosts,
      startTime,
      endTime + eventType.durationMinutes * 60_000
    )
    return { ...subtractClaims(eventType, times, hosts, claims), asOf, stale }
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

function byStartThenEventType(a: ExcludedSlot | Slot, b: ExcludedSlot | Slot): number {
  return a.startTime - b.startTime || (a.eventType < b.eventType ? -1 : Number(a.eventType > b.eventType))
}

/** The days of the asked zone, as long as its daylight saving makes them; days without a slot are left out. */
function intoDays(slots: readonly Slot[], { timeZone, locale }: AvailabilityQuery): Availability['days'] {
  const clock = createLocalClock(timeZone)
  const read = locale === undefined ? undefined : createReader(timeZone, locale)
  const days: Availability['days'] = []
  for (const slot of slots) {
    const localStartTime = clock.format(slot.startTime)
    const date = localStartTime.slice(0, 10)
    let day = days.at(-1)
    if (day?.date !== date) {
      day = { date, slots: [] }
      days.push(day)
    }
    day.slots.push({
      ...slot,
      localStartTime,
      localEndTime: clock.format(slot.endTime),
      ...(read && { formattedStartTime: read(slot.startTime), formattedEndTime: read(slot.endTime) })
    })
  }
  return days
}
