import { AppError } from '../core/errors.ts'
import type { Log } from './log.ts'

const opensAfter = 10
const restMs = 5_000
const idleMs = 10_000

export type BreakerName = 'reads' | 'writes'

/**
 * Keeps calls from a Calendly that does not answer: after ten failures in a row none is let through for five
 * seconds, then a single one, whose answer closes the breaker again or begins another rest. Where nobody calls for
 * ten seconds it closes by itself, and a single failure opens it again.
 */
export function createBreaker(name: BreakerName, { now, log }: { now: () => number; log: Log }) {
  let failures = 0
  /** Of the rest; undefined while closed. */
  let endsAt: number | undefined
  let isProbing = false

  function state(): 'closed' | 'open' | 'half_open' {
    if (endsAt !== undefined && !isProbing && now() >= endsAt + idleMs) {
      endsAt = undefined
      failures = opensAfter - 1
    }
    if (endsAt === undefined) return 'closed'
    return now() < endsAt ? 'open' : 'half_open'
  }

  const atRest = () =>
    new AppError('calendly_unavailable', `Calendly has been failing; its ${name} are at rest`, {
      retryAfterMs: Math.max(1_000, (endsAt ?? 0) - now())
    })

  return {
    state,
    /** Lets one call through, to be told whether it was answered, if it was asked. Throws `calendly_unavailable` while open. */
    enter(): (isAnswered: boolean | undefined) => void {
      if (state() === 'open' || isProbing) throw atRest()
      const isProbe = endsAt !== undefined
      if (isProbe) isProbing = true
      return (isAnswered) => {
        if (isProbe) isProbing = false
        // What began before it opened says nothing of now.
        else if (endsAt !== undefined) return
        if (isAnswered === undefined) return
        failures = isAnswered ? 0 : failures + 1
        const isFailing = failures >= opensAfter
        if (isFailing && !isProbe) log.warn({ breaker: name }, 'calendly fails, its breaker is open')
        if (!isFailing && isProbe)
          log.warn({ breaker: name }, 'calendly answers again, its breaker is closed')
        endsAt = isFailing ? now() + restMs : undefined
      }
    },
    report: () => ({ name, state: state(), ...(endsAt !== undefined && { retryAt: endsAt }) })
  }
}

export type Breaker = ReturnType<typeof createBreaker>
