import type { BookingLimit } from './quota.ts'

export type Forecast = BookingLimit & {
  used: number
  /** When one more will be free; absent while there is one. */
  nextFreeAt?: number | undefined
  /** When none will be left at the present rate; absent if that does not come, or has come. */
  runsOutAt?: number | undefined
}

/**
 * What sliding windows will have left. `uses` are the instants of the calls, ascending, as far back as the
 * longest window reaches.
 */
export function forecast(uses: readonly number[], limits: readonly BookingLimit[], now: number): Forecast[] {
  const perMs = presentRate(uses, Math.max(...limits.map(({ windowMs }) => windowMs)), now)
  return limits.map(({ limit, windowMs }) => {
    const within = uses.filter((at) => at > now - windowMs && at <= now)
    const used = within.length
    const leavesAt = (index: number) => (within[index] ?? now) + windowMs
    if (used >= limit) return { limit, windowMs, used, nextFreeAt: leavesAt(used - limit) }
    const runsOutAt = fullAt({ limit, windowMs, within, perMs, now })
    return { limit, windowMs, used, ...(runsOutAt !== undefined && { runsOutAt }) }
  })
}

/**
 * The mean over the last quarter of the longest window or, if they began later, since its first use; never over
 * less than a 24th of the window, so that two bookings in a minute are no flood. For a day: six hours and one.
 */
function presentRate(uses: readonly number[], longestMs: number, now: number): number {
  const recent = uses.filter((at) => at > now - longestMs / 4 && at <= now)
  return recent.length / Math.max(longestMs / 24, now - (recent[0] ?? now))
}

type Filling = BookingLimit & { within: readonly number[]; perMs: number; now: number }

/** Uses leave the window one by one while new ones arrive evenly, until it is full or all of the old have left. */
function fullAt({ limit, windowMs, within, perMs, now }: Filling): number | undefined {
  if (perMs === 0) return undefined
  for (const [left, usedAt] of [...within, now].entries()) {
    const at = now + (limit - (within.length - left)) / perMs
    if (at <= usedAt + windowMs) return Math.round(at)
  }
  return undefined
}
