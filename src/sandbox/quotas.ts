import type { Clock } from './clock.ts'
import type { User } from './records.ts'
import type { PlanName } from './seed.ts'

type Limit = { limit: number; windowMs: number }

export type Told = { limit: number; remaining: number; resetMs: number }

export type Quotas = ReturnType<typeof createQuotas>

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** Of all calls of a user, and beside it of those that book: `POST /invitees`. */
const plans: Readonly<Record<PlanName, { calls: Limit; bookings: readonly Limit[] }>> = {
  // What Calendly allows the free plan to book is not published.
  free: { calls: { limit: 50, windowMs: minuteMs }, bookings: [] },
  trial: { calls: { limit: 500, windowMs: minuteMs }, bookings: [{ limit: 5, windowMs: dayMs }] },
  paid: {
    calls: { limit: 500, windowMs: minuteMs },
    bookings: [
      { limit: 10, windowMs: minuteMs },
      { limit: 50, windowMs: hourMs },
      { limit: 100, windowMs: dayMs }
    ]
  },
  enterprise: { calls: { limit: 500, windowMs: minuteMs }, bookings: [{ limit: 500, windowMs: minuteMs }] }
}

// A count that falls without ever refusing would hold an honest client back.
const generous: Told = { limit: 500, remaining: 499, resetMs: minuteMs }

/** The quotas of each user's plan, on the sandbox's clock. A user without a plan is never refused. */
export function createQuotas({ now }: Clock) {
  const known = new WeakMap<User, ReturnType<typeof open>>()

  const open = (plan: PlanName) => ({
    calls: createWindow(plans[plan].calls, now),
    bookings: plans[plan].bookings.map((limit) => createWindow(limit, now))
  })

  function windowsOf(user: User) {
    if (!user.plan) return undefined
    const windows = known.get(user) ?? open(user.plan)
    known.set(user, windows)
    return windows
  }

  return {
    /** Counts a call, or refuses it with the quota that is used up. */
    take(user: User, isBooking: boolean): Told & { isGranted: boolean } {
      const windows = windowsOf(user)
      if (!windows) return { ...generous, isGranted: true }
      const { calls, bookings } = windows
      if (calls.tell().remaining === 0) return { ...calls.tell(), isGranted: false }
      calls.use(1)
      if (!isBooking) return { ...calls.tell(), isGranted: true }
      const [longest] = bookings
        .map(({ tell }) => tell())
        .filter(({ remaining }) => remaining === 0)
        .sort((one, other) => other.resetMs - one.resetMs)
      if (longest) return { ...longest, isGranted: false }
      for (const window of bookings) window.use(1)
      return { ...calls.tell(), isGranted: true }
    },

    /** From now on and with nothing used; no plan enforces nothing. */
    setPlan(user: User, plan: PlanName | undefined) {
      user.plan = plan
      known.delete(user)
    },

    /** What something else has used that the user connected to Calendly. */
    use(user: User, used: { calls: number; bookings: number }) {
      const windows = windowsOf(user)
      windows?.calls.use(used.calls)
      for (const window of windows?.bookings ?? []) window.use(used.bookings)
    },

    tell(user: User) {
      const { calls, bookings } = windowsOf(user) ?? {}
      return { ...(calls?.tell() ?? generous), bookings: bookings?.map(({ tell }) => tell()) ?? [] }
    }
  }
}

/** A window of fixed length that begins with its first call. */
function createWindow({ limit, windowMs }: Limit, now: () => number) {
  let endsAt = Number.NEGATIVE_INFINITY
  let used = 0
  const isOver = () => now() >= endsAt
  return {
    use(count: number) {
      if (count === 0) return
      if (isOver()) {
        endsAt = now() + windowMs
        used = 0
      }
      used += count
    },

    tell: (): Told & { windowMs: number } => ({
      limit,
      remaining: isOver() ? limit : Math.max(0, limit - used),
      resetMs: isOver() ? windowMs : endsAt - now(),
      windowMs
    })
  }
}
