import type { System } from './system.ts'

type Failure = {
  /** Attempts so far, this one among them. */
  attempts: number
  /** What the answer asked for. */
  retryAfterMs?: number | undefined
}

/**
 * How long to wait before the next attempt, ±10 %, or longer where the answer asked for it; `undefined` after the last.
 * `waitsMs[n]` is the wait before attempt n + 1.
 */
export function retryInMs(
  waitsMs: readonly number[],
  { attempts, retryAfterMs = 0 }: Failure,
  { random }: Pick<System, 'random'>
): number | undefined {
  const waitMs = waitsMs[attempts]
  if (waitMs === undefined) return undefined
  // No answer may put an event off for longer than the schedule ever would.
  const askedMs = Math.min(retryAfterMs, Math.max(...waitsMs))
  return Math.round(Math.max(waitMs * (0.9 + 0.2 * random()), askedMs))
}
