import type { Problem } from './wire.ts'

/** Calendly answered, and its answer is not a success. `message` is Calendly's own. */
export class CalendlyError extends Error {
  override readonly name = 'CalendlyError'
  readonly status: number
  readonly title: string
  readonly details: Problem['details']
  readonly requestId: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(
    status: number,
    { title, message, details }: Problem,
    { requestId, retryAfterMs }: { requestId?: string | undefined; retryAfterMs?: number | undefined } = {}
  ) {
    super(message)
    this.status = status
    this.title = title
    this.details = details
    this.requestId = requestId
    this.retryAfterMs = retryAfterMs
  }
}

/** No readable answer came. Only with `wasSent: false` is it certain that Calendly did nothing. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
  readonly wasSent: boolean

  constructor(message: string, { cause, wasSent }: { cause?: unknown; wasSent: boolean }) {
    super(message, { cause })
    this.wasSent = wasSent
  }
}

/** The status of Calendly's refusal, also where an AppError was made of it. */
export function statusOf(error: unknown): number | undefined {
  if (error instanceof CalendlyError) return error.status
  return error instanceof Error && error.cause instanceof CalendlyError ? error.cause.status : undefined
}
