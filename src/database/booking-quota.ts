import { type Kysely, sql } from 'kysely'
import type { Engine } from './engine.ts'
import { fromNow } from './instant.ts'
import type { Tables } from './tables.ts'

type Limit = { limit: number; windowMs: number }
type Taken = { isGranted: true; id: number } | { isGranted: false; waitMs: number }

/** Calls of `POST /invitees`, counted durably over sliding windows by the database's clock. */
export function createBookingQuota({ db, transaction }: Pick<Engine, 'db' | 'transaction'>) {
  return {
    /** Counts one call if every limit leaves room for it; else says when all of them will. */
    take: (user: string, limits: readonly Limit[]): Promise<Taken> =>
      transaction(async (tx) => {
        // One after the other for each user, over all replicas; the lock goes with the transaction.
        await sql`select pg_advisory_xact_lock(hashtextextended(${`booking quota of ${user}`}, 0))`.execute(
          tx
        )
        const waitMs = await findWait(tx, user, limits)
        if (waitMs > 0) return { isGranted: false, waitMs }
        const { id } = await tx
          .insertInto('calendly_booking_calls')
          .values({ calendly_user: user })
          .returning('id')
          .executeTakeFirstOrThrow()
        return { isGranted: true, id }
      }),

    /** The call certainly never left. */
    giveBack: async (id: number): Promise<void> => {
      await db.deleteFrom('calendly_booking_calls').where('id', '=', id).execute()
    },

    /** When calls were counted within the last `windowMs`, ascending (epoch milliseconds). */
    sentWithin: async (user: string, windowMs: number): Promise<number[]> => {
      const rows = await db
        .selectFrom('calendly_booking_calls')
        .select('sent_at')
        .where('calendly_user', '=', user)
        .where('sent_at', '>', sql<number>`${fromNow(-windowMs)}`)
        .orderBy('sent_at')
        .execute()
      return rows.map(({ sent_at }) => sent_at)
    }
  }
}

/** A window of n calls has room once the n-th call before now has left it. */
async function findWait(tx: Kysely<Tables>, user: string, limits: readonly Limit[]): Promise<number> {
  const { rows } = await sql<{ wait_ms: number | null }>`
    select ceil(1000 * extract(epoch from
        max(call.sent_at + windows.ms * interval '1 millisecond') - clock_timestamp()
      ))::float8 as wait_ms
    from unnest(
      ${limits.map(({ limit }) => limit)}::integer[], ${limits.map(({ windowMs }) => windowMs)}::float8[]
    ) as windows (calls, ms),
    lateral (
      select sent_at from calendly_booking_calls where calendly_user = ${user}
      order by sent_at desc offset windows.calls - 1 limit 1
    ) call`.execute(tx)
  return rows[0]?.wait_ms ?? 0
}

/** Calls count for a day at most. */
export async function sweepBookingCalls(db: Kysely<Tables>): Promise<void> {
  await sql`delete from calendly_booking_calls where sent_at < now() - interval '1 day'`.execute(db)
}
