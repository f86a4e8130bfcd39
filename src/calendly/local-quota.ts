import type { MinuteQuota, Seen, UserMinute } from './quota.ts'

// Calendly's minute begins when the first call reaches it, which is after that call was taken. Until an answer
// tells its end, ours must not be the shorter one.
const windowMs = 65_000
const halfMs = 30_000

type Minute = {
  limit?: number
  /** By our own count; below zero by what was taken before the limit is known. */
  remaining: number
  /** The least that Calendly has said remains in this window. */
  told?: number | undefined
  inFlight: number
  resetAt: number
  restsUntil: number
}

/**
 * The request quotas of a single process, in its memory. Our own count is too low when calls never reached
 * Calendly; what it said less the calls in flight is too low while it has counted some of those. The greater is
 * believed; the last answer alone is not, since answers overtake each other.
 */
export function createLocalQuota({ now }: { now: () => number }): MinuteQuota {
  const minutes = new Map<string, Minute>()

  function minuteOf(user: string): Minute {
    const minute = minutes.get(user) ?? { remaining: 0, inFlight: 0, resetAt: 0, restsUntil: 0 }
    minutes.set(user, minute)
    return minute
  }

  return {
    async take(user, keep) {
      const at = now()
      const minute = minuteOf(user)
      if (minute.resetAt <= at) open(minute, at + windowMs)
      const { limit, resetAt, restsUntil } = minute
      // A share of the limit is no more exact than its floating point.
      const hasMore = limit === undefined || leftOf(minute) - limit * keep > 1e-6
      const freeAt = Math.max(restsUntil, hasMore ? at : resetAt)
      if (freeAt > at) return { isGranted: false, waitMs: freeAt - at }
      minute.remaining--
      minute.inFlight++
      return { isGranted: true }
    },

    async settle(user, seen) {
      const minute = minuteOf(user)
      if (seen) return learn(minute, seen, now() + seen.resetMs)
      land(minute)
      if (minute.told !== undefined) minute.told--
    },

    async giveBack(user) {
      const minute = minuteOf(user)
      land(minute)
      minute.remaining = Math.min(minute.remaining + 1, minute.limit ?? 0)
    },

    async rest(user, ms) {
      const minute = minuteOf(user)
      minute.restsUntil = Math.max(minute.restsUntil, now() + ms)
    },

    async list() {
      return [...minutes].map(([user, minute]) => reportOf(user, minute, now()))
    }
  }
}

function leftOf({ remaining, told, inFlight }: Minute): number {
  return told === undefined ? remaining : Math.max(remaining, told - inFlight)
}

function open(minute: Minute, resetAt: number): void {
  Object.assign(minute, { remaining: minute.limit ?? 0, told: undefined, inFlight: 0, resetAt })
}

function land(minute: Minute): void {
  minute.inFlight = Math.max(0, minute.inFlight - 1)
}

function learn(minute: Minute, { limit, remaining }: Seen, endsAt: number): void {
  // What was said of a window that is over tells nothing of this one but, if need be, the limit.
  if (minute.limit !== undefined && endsAt < minute.resetAt - halfMs) return
  land(minute)
  if (endsAt > minute.resetAt + halfMs) {
    // Calendly's next window has begun before ours was over.
    Object.assign(minute, { limit, remaining: remaining - minute.inFlight, told: remaining, resetAt: endsAt })
    return
  }
  minute.remaining = Math.min(minute.remaining + limit - (minute.limit ?? 0), remaining)
  minute.told = Math.min(minute.told ?? remaining, remaining)
  minute.resetAt = Math.min(minute.resetAt, endsAt)
  minute.limit = limit
}

function reportOf(user: string, minute: Minute, at: number): UserMinute {
  const { limit, resetAt, restsUntil } = minute
  const isOpen = resetAt > at
  return {
    user,
    ...(limit !== undefined && { limit, remaining: isOpen ? Math.max(0, leftOf(minute)) : limit }),
    ...(isOpen && { resetAt }),
    ...(restsUntil > at && { restsUntil })
  }
}
