import { AppError } from '../core/errors.ts'
import type { StripeEndpoint } from '../core/stripe-health.ts'
import type { System } from '../core/system.ts'
import type { Breaker } from './breaker.ts'
import { ExchangeError, failureOf, type StripeFailure } from './errors.ts'
import { type Meter, outcomeOf } from './meter.ts'

/** `totalMs` is for a request with all its retries, `attemptMs` for one attempt to read. */
export type Deadlines = { totalMs: number; attemptMs: number }

const usualDeadlines: Deadlines = { totalMs: 10_000, attemptMs: 5_000 }
const attempts = 3
const baseMs = 100
const capMs = 2_000
const passing = new Set([408, 409, 429])

type Deps = {
  system: Pick<System, 'now' | 'sleep' | 'random'>
  breakers: { reads: Breaker; refunds: Breaker }
  meter: Meter
  log: Record<'debug' | 'warn', (fields: object, phrase: string) => void>
  deadlines?: Deadlines | undefined
}

/** Asks Stripe once through its library, which is told how long that may take. */
export type Ask<T> = (options: { timeout: number }) => Promise<T>

export function createCall({ system, breakers, meter, log, deadlines = usualDeadlines }: Deps) {
  const { now, sleep, random } = system
  const { totalMs, attemptMs } = deadlines

  async function attempt<T>(
    endpoint: StripeEndpoint,
    ask: Ask<T>,
    { breaker, timeoutMs }: { breaker: Breaker; timeoutMs: number }
  ): Promise<T> {
    const leave = breaker.enter()
    try {
      const answer = await ask({ timeout: Math.max(1, Math.floor(timeoutMs)) })
      log.debug({ endpoint }, 'stripe answered')
      meter.record(endpoint, 'answered')
      leave(true)
      return answer
    } catch (error) {
      const failure = failureOf(error)
      const outcome = outcomeOf(failure)
      const fields = { endpoint, outcome, ...told(failure) }
      if (outcome === 'refused') log.debug(fields, 'stripe refused')
      else log.warn(fields, 'stripe was of no use')
      meter.record(endpoint, outcome)
      leave(outcome !== 'failed')
      throw failure
    }
  }

  return {
    /**
     * Reads, at most three times, within the deadline that began at `startedAt`: again after a lost connection, an answer that
     * makes no sense, 5xx, or 429 when Stripe says so. Throws StripeFailure where Stripe has no such thing, else
     * `stripe_unavailable`.
     */
    async read<T>(endpoint: StripeEndpoint, ask: Ask<T>, startedAt: number): Promise<T> {
      const endsAt = startedAt + totalMs
      for (let number = 1; ; number++) {
        try {
          const timeoutMs = Math.min(attemptMs, endsAt - now())
          return await attempt(endpoint, ask, { breaker: breakers.reads, timeoutMs })
        } catch (error) {
          if (error instanceof AppError) throw error
          const failure = error as ExchangeError | StripeFailure
          if (isMissing(failure)) throw failure
          const waitMs = waitOf(failure) ?? random() * Math.min(capMs, baseMs * 2 ** (number - 1))
          if (number === attempts || !mayRepeat(failure) || now() + waitMs >= endsAt)
            throw unavailable(failure)
          await sleep(waitMs)
        }
      }
    },

    /** Once, within the deadline: whether it may be sent again is not for this place to say. */
    write: <T>(endpoint: StripeEndpoint, ask: Ask<T>): Promise<T> =>
      attempt(endpoint, ask, { breaker: breakers.refunds, timeoutMs: totalMs })
  }
}

export type Call = ReturnType<typeof createCall>

/** Of a failure, what a log may hold and Stripe's support would ask for. */
function told(failure: ExchangeError | StripeFailure): object {
  if (failure instanceof ExchangeError) return { err: failure }
  return { status: failure.status, code: failure.code, requestId: failure.requestId }
}

/** Stripe knows no such thing, in this account and this mode. */
export const isMissing = (failure: unknown) =>
  failure instanceof Error && 'code' in failure && failure.code === 'resource_missing'

const waitOf = (failure: ExchangeError | StripeFailure) =>
  failure instanceof ExchangeError ? undefined : failure.retryAfterMs

function mayRepeat(failure: ExchangeError | StripeFailure): boolean {
  if (failure instanceof ExchangeError) return true
  return failure.mayRetry ?? (passing.has(failure.status) || failure.status >= 500)
}

function unavailable(failure: ExchangeError | StripeFailure): AppError {
  const retryAfterMs = waitOf(failure)
  return new AppError('stripe_unavailable', undefined, {
    cause: failure,
    ...(retryAfterMs !== undefined && { retryAfterMs })
  })
}
