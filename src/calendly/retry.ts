import type { System } from '../core/system.ts'

/** `deadlineAt` is an instant of `System.now`: a wait that would reach it is not begun. */
export type RetryPolicy = { attempts: number; baseMs: number; capMs: number; deadlineAt: number }

/** Full-jitter exponential backoff. The server's own `retryAfterMs` wins over our guess. */
export async function retry<T>(
  run: () => Promise<T>,
  shouldRetry: (error: unknown) => { retryAfterMs?: number | undefined } | undefined,
  { attempts, baseMs, capMs, deadlineAt }: RetryPolicy,
  { now, sleep, random }: Pick<System, 'now' | 'sleep' | 'random'>
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      const verdict = attempt < attempts ? shouldRetry(error) : undefined
      if (!verdict) throw error
      const waitMs = verdict.retryAfterMs ?? random() * Math.min(capMs, baseMs * 2 ** (attempt - 1))
      if (now() + waitMs >= deadlineAt) throw error
      await sleep(waitMs)
    }
  }
}
