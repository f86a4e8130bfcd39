import type { AlternativeSearch, Offering } from './alternative-search.ts'
import { type Alternative, rankAlternatives } from './alternatives.ts'
import type { Booking } from './booking.ts'
import type { CalendarConflicts } from './calendar-conflicts.ts'
import type { EventType } from './calendly.ts'
import { type Caller, hasScope } from './callers.ts'
import { type Asked, type Conflict, endOf, sortConflicts } from './conflict.ts'
import { AppError } from './errors.ts'
import type { Hold } from './hold.ts'
import type { Holds } from './holds.ts'
import type { Execution } from './idempotency.ts'
import type { OwnConflicts } from './own-conflicts.ts'
import type { System } from './system.ts'

const mostEventTypes = 20
/** Of the hold that a check makes. */
const holdMs = 300_000
/** A time may be taken between look and hold; then what is left is looked at once more. */
const mostLooks = 2

export type CheckRequest = {
  eventType: string
  startTime: number
  /** Of the local times and of what is the same day there; the event type owner's without it. */
  timeZone?: string | undefined
  /** Of a booking that would make room. */
  excludeBookingId?: string | undefined
  /** Searched for alternatives besides the asked one. */
  alternativeEventTypes: readonly string[]
  holdFirst: boolean
}

export type Check = {
  available: boolean
  conflicts: Conflict[]
  /** None where the asked time is available. */
  alternatives: Alternative[]
  hold?: Hold | undefined
}

type Deps = {
  system: Pick<System, 'now'>
  reads: { find: (tenantId: string, id: string) => Promise<Booking | undefined> }
  own: OwnConflicts
  calendar: CalendarConflicts
  search: AlternativeSearch
  holds: Pick<Holds, 'create' | 'get'>
  calendly: {
    getEventType: (tenantId: string, uri: string) => Promise<EventType>
    listHosts: (eventType: EventType) => Promise<readonly string[]>
    timeZoneOf: (eventType: EventType) => Promise<string>
  }
}

type Question = { asked: Asked & { timeZone: string }; offerings: readonly Offering[] }

/** Answers whether a time can be had now, what stands in its way and what can be had instead. */
export function createConflictChecks({ system, reads, own, calendar, search, holds, calendly }: Deps) {
  return {
    /**
     * With `holdFirst` also holds the asked time, or else the best alternative that can still be held. Throws
     * `calendly_unavailable` where only Calendly could tell.
     */
    async check(caller: Caller, request: CheckRequest, execution: Execution): Promise<Check> {
      assertAllowed(caller, request)
      if (request.startTime <= system.now() && execution.subject === undefined)
        throw new AppError('start_time_in_past')
      const question = await understand(caller, request)
      if (execution.subject !== undefined) return resume(caller, question, execution.subject)
      if (!request.holdFirst) return examine(question)
      return examineAndHold(caller, question, execution)
    }
  }

  async function understand({ tenantId }: Caller, request: CheckRequest): Promise<Question> {
    const { startTime, excludeBookingId } = request
    const exclude = excludeBookingId === undefined ? [] : [excludeBookingId]
    const [first, others] = await Promise.all([
      offeringOf(tenantId, request.eventType),
      Promise.all(request.alternativeEventTypes.map((uri) => offeringOf(tenantId, uri))),
      ...exclude.map((id) => assertBooking(tenantId, id))
    ])
    const { eventType, hosts } = first
    const timeZone = request.timeZone ?? (await calendly.timeZoneOf(eventType))
    const offerings = new Map([first, ...others].map((offering) => [offering.eventType.uri, offering]))
    const asked = { tenantId, eventType, hosts, startTime, timeZone, exclude }
    return { asked, offerings: [...offerings.values()] }
  }

  async function offeringOf(tenantId: string, uri: string): Promise<Offering> {
    const eventType = await calendly.getEventType(tenantId, uri)
    return { eventType, hosts: await calendly.listHosts(eventType) }
  }

  async function assertBooking(tenantId: string, id: string): Promise<void> {
    if (!(await reads.find(tenantId, id))) throw new AppError('booking_not_found')
  }

  async function examine({ asked, offerings }: Question): Promise<Check> {
    const ours = await own.find(asked)
    const conflicts = await conflictsWith(asked, ours).catch((error) => {
      // That it is taken is known without Calendly; what is free instead is not.
      if (ours.length > 0 && error instanceof AppError && error.code === 'calendly_unavailable')
        return undefined
      throw error
    })
    if (!conflicts) return { available: false, conflicts: sortConflicts(ours), alternatives: [] }
    if (conflicts.length === 0) return { available: true, conflicts: [], alternatives: [] }
    const open = await search.find(asked.tenantId, offerings, asked.startTime)
    const wanted = { eventType: asked.eventType.uri, startTime: asked.startTime }
    return {
      available: false,
      conflicts: sortConflicts(conflicts),
      alternatives: rankAlternatives(wanted, open, asked.timeZone)
    }
  }

  /** None when Calendly offers the time now and nothing of ours is in its way. */
  async function conflictsWith(asked: Asked, ours: readonly Conflict[]): Promise<Conflict[]> {
    const { tenantId, eventType, startTime } = asked
    const offer = await search.offered(tenantId, eventType, startTime)
    if (offer.stale) throw new AppError('calendly_unavailable', 'Calendly cannot be asked for its free times')
    const isAsked = (time: { startTime: number }) => time.startTime === startTime
    if (offer.slots.some(isAsked)) return [...ours]
    if (offer.excluded.some(isAsked)) {
      const isFull = ours.length === 0 && (eventType.kind === 'group' || asked.exclude?.length === 0)
      return isFull ? own.ofSession(asked) : [...ours]
    }
    const theirs = await calendar.find(asked)
    const isExplained = theirs.length > 0 || ours.some(({ kind }) => kind === 'booking')
    const outside = { kind: 'outside_availability' as const, startTime, endTime: endOf(asked) }
    return [...ours, ...theirs, ...(isExplained ? [] : [outside])]
  }

  async function examineAndHold(caller: Caller, question: Question, execution: Execution): Promise<Check> {
    const { asked } = question
    for (let look = 1; ; look++) {
      const found = await examine(question)
      const wanted = { eventType: asked.eventType.uri, startTime: asked.startTime }
      for (const time of found.available ? [wanted] : found.alternatives) {
        const hold = await tryHold(caller, { ...time, timeZone: asked.timeZone }, execution)
        if (hold) return { ...found, hold }
      }
      if (look === mostLooks) return found
    }
  }

  /** Nothing when somebody was faster. */
  async function tryHold(
    caller: Caller,
    { eventType, startTime, timeZone }: { eventType: string; startTime: number; timeZone: string },
    execution: Execution
  ): Promise<Hold | undefined> {
    const request = { eventType, startTime, timeZone, ttlMs: holdMs }
    return holds.create(caller, request, execution).catch((error) => {
      if (!(error instanceof AppError && error.code === 'slot_unavailable')) throw error
      return undefined
    })
  }

  /** What an earlier run held before it was cut short. */
  async function resume(caller: Caller, { asked, offerings }: Question, holdId: string): Promise<Check> {
    const hold = await holds.get(caller, holdId)
    const exclude = [...(asked.exclude ?? []), holdId]
    const found = await examine({ asked: { ...asked, exclude }, offerings })
    return { ...found, hold }
  }
}

export type ConflictChecks = ReturnType<typeof createConflictChecks>

function assertAllowed(caller: Caller, { holdFirst, alternativeEventTypes }: CheckRequest): void {
  if (holdFirst && !hasScope(caller, 'bookings:write')) {
    throw new AppError('insufficient_scope', 'To hold a time the caller key needs the scope bookings:write.')
  }
  if (new Set(alternativeEventTypes).size > mostEventTypes) {
    throw new AppError('too_many_event_types', `Ask for at most ${mostEventTypes} alternative event types.`)
  }
}
