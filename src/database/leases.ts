import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

/**
 * The right to do a piece of work, for one holder at a time and until it expires by the database's clock.
 * Each taking has a higher epoch, which outlives the lease and tells a holder that it has been replaced.
 */
export function createLeases(db: Kysely<Tables>) {
  // Not now(): a statement that waited for another's lock must not judge by the time at which it began.
  const expiry = (ttlMs: number) => sql<string>`clock_timestamp() + ${ttlMs} * interval '1 millisecond'`
  const held = (name: string, epoch: number) =>
    db.updateTable('leases').where('name', '=', name).where('epoch', '=', epoch)

  return {
    /** The lease's epoch, or `undefined` while somebody else holds it. */
    take: async (name: string, holder: string, ttlMs: number): Promise<number | undefined> => {
      const taken = await db
        .insertInto('leases')
        .values({ name, holder, epoch: 1, expires_at: expiry(ttlMs) })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet({ holder, epoch: sql`leases.epoch + 1`, expires_at: expiry(ttlMs) })
            .where(({ or, eb, ref }) =>
              or([
                eb(ref('leases.expires_at'), '<=', sql<number>`clock_timestamp()`),
                eb(ref('leases.holder'), '=', holder)
              ])
            )
        )
        .returning('epoch')
        .executeTakeFirst()
      return taken?.epoch
    },

    /** False when the lease has gone to somebody else. One that expired unnoticed is valid again. */
    renew: async (name: string, epoch: number, ttlMs: number): Promise<boolean> => {
      const { numUpdatedRows } = await held(name, epoch)
        .set({ expires_at: expiry(ttlMs) })
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },

    release: async (name: string, epoch: number): Promise<void> => {
      await held(name, epoch).set({ holder: null, expires_at: '-infinity' }).execute()
    }
  }
}
export type Leases = ReturnType<typeof createLeases>

/** Whether `epoch` is still the latest; if so it stays that until the transaction ends. */
export async function isCurrentEpoch(tx: Kysely<Tables>, name: string, epoch: number): Promise<boolean> {
  const row = await tx
    .selectFrom('leases')
    .select('epoch')
    .where('name', '=', name)
    .where('epoch', '=', epoch)
    .forShare()
    .executeTakeFirst()
  return row !== undefined
}
