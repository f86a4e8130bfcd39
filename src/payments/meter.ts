import type { StripeCallOutcome, StripeEndpoint, StripeReport } from '../core/stripe-health.ts'
import { ExchangeError, type StripeFailure } from './errors.ts'

export function outcomeOf(failure: ExchangeError | StripeFailure | undefined): StripeCallOutcome {
  if (!failure) return 'answered'
  if (failure instanceof ExchangeError || failure.status >= 500) return 'failed'
  if (failure.status === 401) return 'unauthenticated'
  if (failure.status === 403) return 'forbidden'
  return failure.status === 429 ? 'rate_limited' : 'refused'
}

/** Counts what became of each kind of request. */
export function createMeter() {
  const counts = new Map<StripeEndpoint, Map<StripeCallOutcome, number>>()
  const refusals = new Map<StripeEndpoint, 'unauthenticated' | 'forbidden'>()
  let failuresInARow = 0

  return {
    record(endpoint: StripeEndpoint, outcome: StripeCallOutcome): void {
      const known = counts.get(endpoint) ?? new Map<StripeCallOutcome, number>()
      counts.set(endpoint, known.set(outcome, (known.get(outcome) ?? 0) + 1))
      const isUseful = outcome === 'answered' || outcome === 'refused'
      failuresInARow = isUseful ? 0 : failuresInARow + 1
      if (outcome === 'unauthenticated' || outcome === 'forbidden') refusals.set(endpoint, outcome)
      else if (isUseful) refusals.delete(endpoint)
      // A key that is accepted at all is so everywhere.
      if (isUseful || outcome === 'forbidden') forgetUnauthenticated()
    },

    report: (): Pick<StripeReport, 'status' | 'calls' | 'refusals'> => ({
      status: statusOf(failuresInARow, [...refusals.values()]),
      calls: [...counts].flatMap(([endpoint, outcomes]) =>
        [...outcomes].map(([outcome, count]) => ({ endpoint, outcome, count }))
      ),
      refusals: [...refusals].map(([endpoint, outcome]) => ({ endpoint, outcome }))
    })
  }

  function forgetUnauthenticated(): void {
    for (const [endpoint, outcome] of refusals) if (outcome === 'unauthenticated') refusals.delete(endpoint)
  }
}

export type Meter = ReturnType<typeof createMeter>

/** `down` when the key is not accepted or three calls in a row were of no use; `degraded` when anything is amiss. */
function statusOf(failuresInARow: number, refusals: readonly string[]): 'ok' | 'degraded' | 'down' {
  if (refusals.includes('unauthenticated') || failuresInARow >= 3) return 'down'
  return failuresInARow === 0 && refusals.length === 0 ? 'ok' : 'degraded'
}
