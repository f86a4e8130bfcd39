import { AppError } from './errors.ts'
import type { ReconciliationKind } from './reconciliation.ts'
import type { System } from './system.ts'

/** Without an answer for this long it is given up. */
const longestMs = 86_400_000
const names: Readonly<Record<ReconciliationKind, string>> = { calendly: 'Calendly', stripe: 'Stripe' }
const [firstWaitMs, mostWaitMs] = [1_000, 60_000]

/** Who was asked has not answered for a day. */
export class OutOfPatience extends Error {
  override readonly name = 'OutOfPatience'
}

/**
 * Asks until there is an answer, waiting where who is asked is away or no quota is left. `since`: when there last was one.
 * Throws OutOfPatience, and what the machine's sleep throws when the signal fires.
 */
export function createPatience(
  system: Pick<System, 'now' | 'sleep'>,
  signal: AbortSignal,
  since: number,
  kind: ReconciliationKind = 'calendly'
) {
  let answeredAt = since
  return async function patient<T>(ask: () => Promise<T>): Promise<T> {
    for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, mostWaitMs)) {
      signal.throwIfAborted()
      try {
        const answer = await ask()
        answeredAt = system.now()
        return answer
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== `${kind}_unavailable`) throw error
        if (system.now() - answeredAt >= longestMs) {
          throw new OutOfPatience(`${names[kind]} has not answered for a day: ${error.message}`)
        }
        await system.sleep(Math.min(Math.max(error.retryAfterMs ?? 0, waitMs), mostWaitMs), signal)
      }
    }
  }
}

export type Patience = ReturnType<typeof createPatience>
