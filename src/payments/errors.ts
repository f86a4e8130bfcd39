import Stripe from 'stripe'

/** No readable answer came. Only with `wasSent: false` is it certain that Stripe did nothing. */
export class ExchangeError extends Error {
  override readonly name = 'StripeExchangeError'
  readonly wasSent: boolean

  constructor(message: string, { cause, wasSent }: { cause?: unknown; wasSent: boolean }) {
    super(message, { cause })
    this.wasSent = wasSent
  }
}

type Answer = {
  code?: string | undefined
  /** In words; kept out of sight of logs. */
  words: string
  /** Whether the answer is Stripe's own, and not that of something on the way. */
  isStripes: boolean
  requestId?: string | undefined
  retryAfterMs?: number | undefined
  /** Stripe's own word on whether it is worth asking again. */
  mayRetry?: boolean | undefined
}

/** Stripe answered, and its answer is not a success. */
export class StripeFailure extends Error {
  override readonly name = 'StripeFailure'
  readonly status: number
  readonly code: string | undefined
  readonly isStripes: boolean
  readonly requestId: string | undefined
  readonly retryAfterMs: number | undefined
  readonly mayRetry: boolean | undefined
  readonly #words: string

  constructor(status: number, { code, words, isStripes, requestId, retryAfterMs, mayRetry }: Answer) {
    super(code === undefined ? `Stripe answered ${status}` : `Stripe answered ${status}: ${code}`)
    this.status = status
    this.code = code
    this.isStripes = isStripes
    this.requestId = requestId
    this.retryAfterMs = retryAfterMs
    this.mayRetry = mayRetry
    this.#words = words
  }

  get words(): string {
    return this.#words
  }
}

/** The type of an error that stands in for an answer which has none of Stripe's. */
export const notStripes = 'not_stripes'

/** What the library threw, without what it carries along: whole answers, headers, parts of payments. */
export function failureOf(error: unknown): ExchangeError | StripeFailure {
  if (!(error instanceof Stripe.errors.StripeError)) throw error
  if (error.detail instanceof ExchangeError) return error.detail
  const { statusCode, code, message, rawType, requestId, headers = {} } = error
  if (statusCode === undefined) return new ExchangeError('The answer makes no sense', { wasSent: true })
  const seconds = headers['retry-after']
  const shouldRetry = headers['stripe-should-retry']
  const isStripes = (rawType as string | undefined) !== notStripes
  return new StripeFailure(statusCode, {
    code: isStripes ? (code ?? rawType) : undefined,
    words: message,
    isStripes,
    requestId,
    retryAfterMs: seconds !== undefined && /^\d{1,6}$/.test(seconds) ? Number(seconds) * 1000 : undefined,
    mayRetry: shouldRetry === undefined ? undefined : shouldRetry === 'true'
  })
}
