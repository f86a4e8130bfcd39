import type { Booking, RefusedReschedule } from './booking.ts'
import type { EventType } from './calendly.ts'
import { AppError, type ProblemCode } from './errors.ts'
import { claimMode } from './slots.ts'

/** Of what nobody but a human can settle. */
export const needsResolving =
  'Its outcome needs somebody to settle it first: POST /api/v1/bookings/{id}/resolve.'

export type RescheduleRequest = {
  startTime: number
  holdId?: string | undefined
  /** Gives up the old time first: where the two cannot stand beside each other at Calendly. */
  cancelFirst: boolean
}

/** With the page on which the invitee can still move it. */
export function refusalOf(
  booking: Booking,
  code: ProblemCode,
  detail: string,
  retryAfterMs?: number
): AppError {
  const { rescheduleUrl } = booking.calendly
  return new AppError(code, detail, {
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(rescheduleUrl !== undefined && hasUrl(code) && { members: { reschedule_url: rescheduleUrl } })
  })
}

const hasUrl = (code: ProblemCode) => ['group_event', 'overlaps_itself', 'not_reschedulable'].includes(code)

/** Beyond this far from the old event no buffer of it is the likely reason. */
const closeMs = 3 * 3_600_000

/** Why Calendly's refusal of a reschedule was not the last word, or where it has left the booking. */
export function explained(
  { code, message, members, retryAfterMs }: AppError,
  booking: Booking,
  { startTime, isRebooked = false }: RefusedReschedule
): AppError {
  const distanceMs = Math.max(booking.startTime - startTime, startTime - booking.endTime)
  const hints = [
    ...(isRebooked ? [backAgain] : []),
    ...(code === 'slot_unavailable' && !isRebooked && distanceMs < closeMs ? [tryCancelFirst] : [])
  ]
  const { rescheduleUrl } = booking.calendly
  return new AppError(code, hints.length === 0 ? message : [sentence(message), ...hints].join(' '), {
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    members: {
      ...members,
      ...(code === 'slot_unavailable' && rescheduleUrl !== undefined && { reschedule_url: rescheduleUrl })
    }
  })
}

const backAgain = 'The booking is back at its old time, with a new event at Calendly.'
const tryCancelFirst =
  'Should the buffers of its present event be in the way, "cancel_first": true gives that up first.'
const sentence = (words: string) => (/[.!?]$/.test(words) ? words : `${words}.`)

/** What cannot be moved, and to where it cannot. */
export function refuseUnmovable(booking: Booking, { startTime }: RescheduleRequest, now: number): void {
  const refusal = (detail: string) => new AppError('not_reschedulable', detail)
  if (booking.status === 'rejected') throw refusal('It was rejected.')
  if (booking.status === 'canceled') throw refusal('It is canceled.')
  if (booking.status === 'needs_attention') throw refusal(needsResolving)
  if (booking.status !== 'confirmed') throw refusal('Its outcome is not known yet.')
  if (booking.change?.kind === 'cancel') throw refusal('It is being canceled.')
  if (booking.change) throw refusal('It is being rescheduled already.')
  if (booking.startTime <= now) throw refusal('It has begun.')
  if (booking.startTime === startTime) throw refusal('It is at that time already.')
}

/** Calendly books the default length, whatever the page offers. */
export function refuseOtherLength(booking: Booking, { durationMinutes, durationOptions }: EventType): void {
  const minutes = (booking.endTime - booking.startTime) / 60_000
  if (minutes === durationMinutes || !durationOptions.includes(minutes)) return
  const detail = `It lasts ${minutes} minutes; Calendly's API books ${durationMinutes} only.`
  throw refusalOf(booking, 'not_reschedulable', detail)
}

/** The same host cannot have both events at once, not even for the moment until the old one is canceled. */
export function refuseOverlap(
  booking: Booking,
  { startTime, cancelFirst }: RescheduleRequest,
  eventType: EventType,
  hosts: readonly string[]
): void {
  const endTime = startTime + eventType.durationMinutes * 60_000
  const isApart = endTime <= booking.startTime || booking.endTime <= startTime
  const own = booking.hosts.map(({ user }) => user)
  const isFree = (host: string) => !own.includes(host)
  const canStandBeside = claimMode(eventType) === 'any' ? hosts.some(isFree) : hosts.every(isFree)
  if (isApart || cancelFirst || canStandBeside) return
  const detail = 'Both times need the same host: send "cancel_first": true to give up the old one first.'
  throw refusalOf(booking, 'overlaps_itself', detail)
}
