import { AppError } from '../core/errors.ts'
import type { System } from '../core/system.ts'

const opensAfter = 10
const restMs = 5_000

export type BreakerName = 'reads' | 'refunds'

/**
 * Keeps calls from a Stripe that does not answer: after ten failures in a row none is let through for five seconds,
 * then a single one, whose answer closes the breaker again or begins another rest.
 */
export function createBreaker(
  name: BreakerName,
  { now, log }: Pick<System, 'now'> & { log: Record<'warn', (fields: object, phrase: string) => void> }
) {
  let failures = 0
  /** Of the rest; undefined while closed. */
  let endsAt: number | undefined
  let isProbing = false

  function state(): 'closed' | 'open' | 'half_open' {
    if (endsAt === undefined) return 'closed'
    return now() < endsAt ? 'open' : 'half_open'
  }

  return {
    /** Lets one call through, to be told whether it was answered. Throws `stripe_unavailable` while open. */
    enter(): (isAnswered: boolean) => void {
      if (state() === 'open' || isProbing) {
        const retryAfterMs = Math.max(1_000, (endsAt ?? 0) - now())
        throw new AppError('stripe_unavailable', `Stripe has been failing; ${name} are at rest`, {
          retryAfterMs
        })
      }
      const isProbe = endsAt !== undefined
      isProbing = isProbe
      return (isAnswered) => {
        if (isProbe) isProbing = false
        // What began before it opened says nothing of now.
        else if (endsAt !== undefined) return
        failures = isAnswered ? 0 : failures + 1
        const isFailing = failures >= opensAfter
        if (isFailing && !isProbe) log.warn({ breaker: name }, 'stripe fails, its breaker is open')
        if (!isFailing && isProbe) log.warn({ breaker: name }, 'stripe answers again, its breaker is closed')
        endsAt = isFailing ? now() + restMs : undefined
      }
    },
    report: () => ({ name, state: state() })
  }
}

export type Breaker = ReturnType<typeof createBreaker>
