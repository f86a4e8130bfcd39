import type { Problem } from './wire.ts'

/** Calendly answered, and its answer is not a success. What it said is kept out of sight of logs. */
export class CalendlyError extends Error {
  override readonly name = 'CalendlyError'
  readonly status: number
  readonly #problem: Problem
  readonly requestId: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(
    status: number,
    problem: Problem,
    { requestId, retryAfterMs }: { requestId?: string | undefined; retryAfterMs?: number | undefined } = {}
  ) {
    super(`Calendly answered ${status}`)
    this.status = status
    this.#problem = problem
    this.requestId = requestId
    this.retryAfterMs = retryAfterMs
  }

  /** In Calendly's own words. */
  get problem(): Problem {
    return this.#problem
  }
}

/** What kept an answer from being had: it came too late, the connection failed, it makes no sense, or none was free. */
export type ExchangeFailure = 'timeout' | 'network' | 'unreadable' | 'unsent'

/** No readable answer came. Only with `wasSent: false` is it certain that Calendly did nothing. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
  readonly reason: ExchangeFailure
  readonly wasSent: boolean

  constructor(
    message: string,
    { cause, reason, wasSent }: { cause?: unknown; reason: ExchangeFailure; wasSent: boolean }
  ) {
    super(message, { cause })
    this.reason = reason
    this.wasSent = wasSent
  }
}

/** Behind a `calendly_unavailable`: it was not even asked, since no quota is left for that kind of call. */
export class QuotaError extends Error {
  override readonly name = 'QuotaError'
}

/** The status of Calendly's refusal, also where an AppError was made of it. */
export function statusOf(error: unknown): number | undefined {
  if (error instanceof CalendlyError) return error.status
  return error instanceof Error && error.cause instanceof CalendlyError ? error.cause.status : undefined
}
