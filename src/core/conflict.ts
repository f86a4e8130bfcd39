import type { EventType } from './calendly.ts'
import { formatInstant } from './instants.ts'

/** A time that somebody wants. */
export type Asked = {
  tenantId: string
  eventType: EventType
  hosts: readonly string[]
  startTime: number
  /** The invitee's, for alternatives; the event type owner's where it is not known. */
  timeZone?: string | undefined
  /** Owners that are not in the way: one's own hold, the booking that is to move. */
  exclude?: readonly string[] | undefined
  /** No alternative either: the booking that is to move has this start already. */
  notAt?: number | undefined
}

export const conflictKinds = [
  'booking',
  'hold',
  'buffer',
  'calendar',
  'outside_availability',
  'minimum_notice',
  'max_per_day'
] as const

export type ConflictKind = (typeof conflictKinds)[number]

/**
 * What stands in the way, and the range that it takes, half-open: of a booking or hold the appointment, of a buffer
 * the time that no appointment of the asked event type may touch, of a notice or a full day all of it.
 */
export type Conflict = {
  kind: ConflictKind
  startTime: number
  endTime: number
  bookingId?: string | undefined
}

export const endOf = ({ eventType, startTime }: Pick<Asked, 'eventType' | 'startTime'>): number =>
  startTime + eventType.durationMinutes * 60_000

/** In a fixed order, each once. */
export function sortConflicts(conflicts: readonly Conflict[]): Conflict[] {
  const unique = new Map(conflicts.map((conflict) => [JSON.stringify(presentConflict(conflict)), conflict]))
  const rank = ({ kind }: Conflict) => conflictKinds.indexOf(kind)
  const idOf = ({ bookingId = '' }: Conflict) => bookingId
  return [...unique.values()].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      a.startTime - b.startTime ||
      a.endTime - b.endTime ||
      Number(idOf(a) > idOf(b)) - Number(idOf(a) < idOf(b))
  )
}

export function presentConflict({ kind, startTime, endTime, bookingId }: Conflict) {
  return {
    kind,
    start_time: formatInstant(startTime),
    end_time: formatInstant(endTime),
    ...(bookingId !== undefined && { booking_id: bookingId })
  }
}
