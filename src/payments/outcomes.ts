import { AppError } from '../core/errors.ts'
import type { StripeNotDone, StripeRefundOutcome } from '../core/payments.ts'
import { ExchangeError, StripeFailure } from './errors.ts'

const refusing: ReadonlySet<number> = new Set([400, 402, 404])
const keepingOut: ReadonlySet<number> = new Set([401, 403, 429])

/**
 * What a `POST /v1/refunds` that failed means. Stripe executes nothing before it has checked the key, its permission
 * and its limits; a refusal is kept under the idempotency key like a success. What is neither is ambiguous: also a
 * 409, which says that the same key is at work at this moment, and a refusal that is not Stripe's own.
 */
export function refundOutcomeOf(error: unknown): Exclude<StripeRefundOutcome, { kind: 'done' }> {
  if (error instanceof AppError) return notDone(error)
  if (error instanceof ExchangeError)
    return error.wasSent ? { kind: 'ambiguous', cause: error } : notDone(error)
  if (!(error instanceof StripeFailure)) throw error
  if (error.isStripes && keepingOut.has(error.status)) return notDone(error)
  // What was sent under this key once was not quite the same: nothing says what became of it, nor ever will.
  if (error.isStripes && error.code === 'idempotency_error') {
    return { kind: 'ambiguous', cause: error, isKept: true }
  }
  // Limits were answered with a 400 in the past, and the library still knows that.
  if (error.isStripes && error.code === 'rate_limit') return notDone(error)
  if (error.isStripes && refusing.has(error.status)) {
    return { kind: 'refused', code: error.code ?? `http_${error.status}`, detail: error.words }
  }
  return { kind: 'ambiguous', cause: error, isKept: error.isStripes && error.status >= 500 }
}

export function notDone(error: Error & { retryAfterMs?: number | undefined }): StripeNotDone {
  return { kind: 'not_done', detail: error.message, retryAfterMs: error.retryAfterMs, cause: error }
}
