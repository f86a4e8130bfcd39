import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

type Taken = { isGranted: true } | { isGranted: false; waitMs: number }
type Seen = { limit: number; remaining: number; resetMs: number }

// Calendly's minute begins when the first call reaches it, which is after that call was taken. Until an answer
// tells its end, ours must not be the shorter one.
const windowEnd = sql<string>`clock_timestamp() + interval '65 seconds'`

// A share of the limit is no more exact than its floating point.
const hasMoreThan = (keep: number) =>
  sql`(quota_limit is null or greatest(remaining, told - in_flight) - quota_limit * ${keep}::float8 > 1e-6)`

/**
 * The request quota of each Calendly user's minute, in one row that all replicas share; by the database's clock.
 *
 * What remains is known in two ways: by our own count, which is too low when calls never reached Calendly, and as
 * the least that Calendly has said less the calls in flight, which is too low while it has counted some of those.
 * The greater is believed. The last answer alone is not, since answers overtake each other.
 */
export function createMinuteQuota(db: Kysely<Tables>) {
  return {
    /**
     * Takes one call if more than `keep` (0–1) of the limit remains and the user does not rest; it counts as in
     * flight until it is settled or its window ends. An unknown limit grants.
     */
    async take(user: string, keep: number): Promise<Taken> {
      for (;;) {
        if (await grant(user, keep)) return { isGranted: true }
        const waitMs = await findWait(user, keep)
        if (waitMs > 0) return { isGranted: false, waitMs }
        await openWindow(user)
      }
    },

    /** A call has ended; `seen` is what the headers of its answer said. Without an answer it counts as made. */
    async settle(user: string, seen?: Seen): Promise<void> {
      if (!seen) return forgo(user)
      // What was said of a window that is over tells nothing of this one but, if need be, the limit.
      if (!(await learn(user, seen))) await learnAnew(user, seen)
    },

    /** The call certainly never left. */
    async giveBack(user: string): Promise<void> {
      await sql`update calendly_quotas set
          remaining = least(remaining + 1, coalesce(quota_limit, 0)), in_flight = greatest(in_flight - 1, 0)
        where calendly_user = ${user}`.execute(db)
    },

    /** No call for this user for `ms`, nor before an earlier rest is over. */
    async rest(user: string, ms: number): Promise<void> {
      await sql`insert into calendly_quotas as quota (calendly_user, reset_at, rests_until)
        values (${user}, clock_timestamp(), ${after(ms)})
        on conflict (calendly_user) do update
        set rests_until = greatest(quota.rests_until, excluded.rests_until)`.execute(db)
    },

    /** Without what Calendly has not told yet and instants that are past. */
    async list() {
      const { rows } = await sql<{
        user: string
        limit: number | null
        remaining: number
        reset_at: number | null
        rests_until: number | null
      }>`select calendly_user as user, quota_limit as limit, greatest(remaining, told - in_flight, 0) as remaining,
          case when reset_at > clock_timestamp() then reset_at end as reset_at,
          case when rests_until > clock_timestamp() then rests_until end as rests_until
        from calendly_quotas order by calendly_user`.execute(db)
      return rows.map(({ user, limit, remaining, reset_at, rests_until }) => ({
        user,
        ...(limit !== null && { limit, remaining: reset_at === null ? limit : remaining }),
        ...(reset_at !== null && { resetAt: reset_at }),
        ...(rests_until !== null && { restsUntil: rests_until })
      }))
    }
  }

  async function grant(user: string, keep: number): Promise<boolean> {
    const { numAffectedRows } = await sql`
      update calendly_quotas set remaining = remaining - 1, in_flight = in_flight + 1
      where calendly_user = ${user} and reset_at > clock_timestamp() and rests_until <= clock_timestamp()
        and ${hasMoreThan(keep)}`.execute(db)
    return numAffectedRows === 1n
  }

  /** How long rest or quota is in the way, in ms; 0 when neither is. */
  async function findWait(user: string, keep: number): Promise<number> {
    const { rows } = await sql<{ wait_ms: number }>`
      select ceil(1000 * extract(epoch from
          greatest(asked.at, rests_until, case when not ${hasMoreThan(keep)} then reset_at end) - asked.at
        ))::float8 as wait_ms
      from calendly_quotas, (select clock_timestamp() as at) asked
      where calendly_user = ${user}`.execute(db)
    return rows[0]?.wait_ms ?? 0
  }

  /** Unless one is open. Calls in flight, among them those of processes that died, go with the one before. */
  async function openWindow(user: string): Promise<void> {
    await sql`insert into calendly_quotas as quota (calendly_user, reset_at) values (${user}, ${windowEnd})
      on conflict (calendly_user) do update
      set remaining = coalesce(quota.quota_limit, 0), told = null, in_flight = 0, reset_at = ${windowEnd}
      where quota.reset_at <= clock_timestamp()`.execute(db)
  }

  async function forgo(user: string): Promise<void> {
    await sql`update calendly_quotas set in_flight = greatest(in_flight - 1, 0), told = told - 1
      where calendly_user = ${user}`.execute(db)
  }

  /** False when the answer is of another window: one whose end is far from ours. */
  async function learn(user: string, { limit, remaining, resetMs }: Seen): Promise<boolean> {
    const { numAffectedRows } = await sql`
      update calendly_quotas set
        quota_limit = ${limit},
        remaining = least(remaining + ${limit}::integer - coalesce(quota_limit, 0), ${remaining}),
        told = least(told, ${remaining}),
        in_flight = greatest(in_flight - 1, 0),
        reset_at = least(reset_at, answer.ends_at)
      from (select ${after(resetMs)} as ends_at) answer
      where calendly_user = ${user}
        and (quota_limit is null or ends_at - reset_at between interval '-30 seconds' and interval '30 seconds')
      `.execute(db)
    return numAffectedRows === 1n
  }

  /** Calendly's next window has begun before ours was over. */
  async function learnAnew(user: string, { limit, remaining, resetMs }: Seen): Promise<void> {
    await sql`
      update calendly_quotas set
        quota_limit = ${limit},
        remaining = ${remaining}::integer - greatest(in_flight - 1, 0),
        told = ${remaining},
        in_flight = greatest(in_flight - 1, 0),
        reset_at = answer.ends_at
      from (select ${after(resetMs)} as ends_at) answer
      where calendly_user = ${user} and ends_at - reset_at > interval '30 seconds'`.execute(db)
  }
}

const after = (ms: number) => sql<string>`clock_timestamp() + ${ms} * interval '1 millisecond'`

/** Forgets users who have not been asked for in a day. */
export async function sweepQuotas(db: Kysely<Tables>): Promise<void> {
  await sql`delete from calendly_quotas where greatest(reset_at, rests_until) < now() - interval '1 day'`.execute(
    db
  )
}
