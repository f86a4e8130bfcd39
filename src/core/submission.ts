import type { Booking, Rejection } from './booking.ts'
import type { Ambiguous, InviteeRequest, Refusal } from './calendly.ts'
import { AppError, type ProblemCode } from './errors.ts'
import type { System } from './system.ts'

/** How long a request may be at a step of its own before the resolver looks after it: 15 s for Calendly, and slack. */
export const submissionLeaseMs = 30_000
const writeAttempts = 3

/** What Calendly answered is known only here: a database that is busy for a moment must not lose it. */
export async function insist<T>(system: Pick<System, 'sleep'>, write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write()
    } catch (error) {
      const isAway = error instanceof AppError && error.code === 'database_unavailable'
      if (!isAway || attempt === writeAttempts) throw error
      await system.sleep(200 * attempt)
    }
  }
}

/** For a human: what came instead of an answer, such as "Calendly answered 502". */
export function lossOf({ cause }: Ambiguous): string {
  return cause instanceof Error ? cause.message : 'unknown'
}

const codeOfRefusal: Readonly<Record<Refusal['reason'], ProblemCode>> = {
  already_filled: 'slot_unavailable',
  invalid_location: 'invalid_location',
  missing_answer: 'missing_answer',
  invalid_answer: 'invalid_answer',
  not_found: 'event_type_not_found',
  quota: 'booking_quota_exhausted',
  rejected: 'calendly_rejected'
}

const pointers: Readonly<Partial<Record<Refusal['reason'], string>>> = {
  invalid_location: '#/location',
  missing_answer: '#/questions_and_answers',
  invalid_answer: '#/questions_and_answers'
}

export function rejectionOf({ reason, detail }: Refusal): Rejection {
  return { code: codeOfRefusal[reason], detail, pointer: pointers[reason] }
}

/** Our id travels as `utm_term`, so that a lost booking can be recognised; the caller's own term stays with us. */
export function requestOf(booking: Booking, startTime = booking.startTime): InviteeRequest {
  return {
    eventType: booking.eventType,
    startTime,
    invitee: { ...booking.invitee, timezone: booking.invitee.timezone ?? 'UTC' },
    location: booking.requestedLocation,
    questionsAndAnswers: booking.questionsAndAnswers,
    tracking: { ...booking.tracking, utmTerm: booking.id },
    guests: booking.guests
  }
}
