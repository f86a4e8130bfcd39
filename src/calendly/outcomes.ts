import type { Ambiguous, CancelOutcome, InviteeOutcome, NotDone, Refusal } from '../core/calendly.ts'
import { AppError } from '../core/errors.ts'
import { CalendlyError, ExchangeError } from './errors.ts'
import type { Problem } from './wire.ts'

/**
 * What a failed write means. `refuse` names the refusals of this call, after which it is certain that nothing
 * was done; what it does not name is ambiguous.
 */
export function outcomeOf<Refused>(
  error: unknown,
  refuse: (error: CalendlyError) => Refused | undefined
): Refused | NotDone | Ambiguous {
  if (error instanceof AppError) return notDone(error)
  if (error instanceof ExchangeError)
    return error.wasSent ? { kind: 'ambiguous', cause: error } : notDone(error)
  if (error instanceof CalendlyError) return refuse(error) ?? { kind: 'ambiguous', cause: error }
  throw error
}

/** Something was done, perhaps, but what came back does not say so. */
export const unreadable = {
  kind: 'ambiguous',
  cause: new ExchangeError("Calendly's answer cannot be read", { reason: 'unreadable', wasSent: true })
} as const

export function notDone(error: Error & { retryAfterMs?: number | undefined }): NotDone {
  return { kind: 'not_done', detail: error.message, retryAfterMs: error.retryAfterMs, cause: error }
}

/** What became of a `POST /invitees` that failed. */
export function bookingOutcomeOf(error: unknown): InviteeOutcome {
  if (error instanceof AppError && error.code === 'booking_quota_exhausted') {
    const { message: detail, retryAfterMs } = error
    return { kind: 'refused', refusal: { reason: 'quota', detail, retryAfterMs } }
  }
  return outcomeOf(error, bookingRefusal)
}

/** Why `POST /invitees` was certainly not done; `undefined` where it may have been. */
function bookingRefusal(error: CalendlyError): { kind: 'refused'; refusal: Refusal } | undefined {
  const reason = reasonOf(error)
  if (!reason) return undefined
  const [fault] = error.problem.details
  return {
    kind: 'refused',
    refusal: {
      reason,
      detail: explain(error),
      parameter: fault?.parameter,
      retryAfterMs: error.retryAfterMs
    }
  }
}

/** Calendly's own words, for whoever asked for it. */
export function explain({ problem, message }: CalendlyError): string {
  return [problem.message, problem.details[0]?.message].filter(Boolean).join(' ') || message
}

function reasonOf(error: CalendlyError): Refusal['reason'] | undefined {
  switch (error.status) {
    case 400:
    case 422:
      return reasonInWords(error.problem)
    case 403:
      return 'rejected'
    case 404:
      return 'not_found'
    case 409:
      return 'already_filled'
    case 429:
      return 'quota'
    default:
      return undefined
  }
}

const slotGone = /has been filled|time is unavailable|no longer available|event is at capacity/i
const requiredAnswer = /questions and answers cannot be blank/i
const answerFault = /questions_and_answers/
const locationFault = /location_configuration|location kind|^location\b/i

// Calendly has codes for two of these; the rest it only says, sometimes without any details.
function reasonInWords({ message, details }: Problem): Refusal['reason'] {
  const has = (code: string) => details.some((fault) => fault.code === code)
  const says = (pattern: RegExp) =>
    [message, ...details.flatMap((fault) => [fault.message, fault.parameter])].some(
      (t) => t && pattern.test(t)
    )
  if (has('already_filled') || says(slotGone)) return 'already_filled'
  if (has('invalid_location_choice') || says(locationFault)) return 'invalid_location'
  if (says(requiredAnswer)) return 'missing_answer'
  if (says(answerFault)) return 'invalid_answer'
  return 'rejected'
}

/** Why a cancellation was certainly not done; `undefined` where it may have been. */
export function cancelRefusal({
  status,
  message,
  problem,
  retryAfterMs
}: CalendlyError): Extract<CancelOutcome, { kind: 'refused' | 'not_done' }> | undefined {
  const detail = problem.message || message
  switch (status) {
    case 400:
    case 422:
      return { kind: 'refused', reason: 'not_allowed', detail }
    case 403:
      if (/already cancell?ed/i.test(detail)) return { kind: 'refused', reason: 'already_canceled', detail }
      return { kind: 'refused', reason: /in the past/i.test(detail) ? 'past' : 'not_allowed', detail }
    case 404:
      return { kind: 'refused', reason: 'not_found', detail }
    case 429:
      return { kind: 'not_done', detail, retryAfterMs }
    default:
      return undefined
  }
}

/** Why a write that has no reasons of its own was certainly not done; `undefined` where it may have been. */
export function plainRefusal(
  error: CalendlyError
): { kind: 'refused'; detail: string } | NotDone | undefined {
  switch (error.status) {
    case 400:
    case 403:
    case 404:
    case 409:
    case 422:
      return { kind: 'refused', detail: explain(error) }
    case 429:
      return notDone(error)
    default:
      return undefined
  }
}
