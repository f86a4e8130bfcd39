/** What Calendly's headers said of a user's minute; `resetMs` is how long until it ends. */
export type Seen = { limit: number; remaining: number; resetMs: number }

/** The request quota of a Calendly user's minute, as all replicas see it. Instants are epoch milliseconds. */
export type MinuteQuota = {
  /**
   * Takes one call if more than `keep` (0–1) of the limit remains and the user does not rest; it counts as in
   * flight until settled. An unknown limit grants.
   */
  take: (user: string, keep: number) => Promise<{ isGranted: true } | { isGranted: false; waitMs: number }>
  /** A call has ended; `seen` is what its answer said. Without an answer it counts as made. */
  settle: (user: string, seen?: Seen) => Promise<void>
  /** The call certainly never left. */
  giveBack: (user: string) => Promise<void>
  /** After a 429: no call for this user until then. */
  rest: (user: string, ms: number) => Promise<void>
  list: () => Promise<readonly UserMinute[]>
}

export type UserMinute = {
  user: string
  limit?: number | undefined
  remaining?: number | undefined
  resetAt?: number | undefined
  restsUntil?: number | undefined
}

export type BookingLimit = { limit: number; windowMs: number }

/** Calls of `POST /invitees`, counted durably over sliding windows. */
export type BookingQuota = {
  take: (
    user: string,
    limits: readonly BookingLimit[]
  ) => Promise<{ isGranted: true; id: number } | { isGranted: false; waitMs: number }>
  /** The call certainly never left. */
  giveBack: (id: number) => Promise<void>
  /** When calls were sent within the last `windowMs`, ascending (epoch milliseconds). */
  sentWithin: (user: string, windowMs: number) => Promise<readonly number[]>
}
