import { type Kysely, sql } from 'kysely'
import type { IdempotencyTables, KeyedRequest, KeyId } from '../core/idempotency.ts'
import { fromNow } from './instant.ts'
import type { Tables } from './tables.ts'

/** Keys are promised for 24 h and kept for three times that. */
const keptFor = sql<string>`interval '72 hours'`

// Kysely's own error would carry the query with its values into the log.
const missing = () => new Error('the idempotency key has vanished')

export function createIdempotencyKeys(db: Kysely<Tables>): IdempotencyTables['idempotency'] {
  const rowOf = ({ tenantId, caller, key }: KeyId) =>
    db
      .updateTable('idempotency_keys')
      .where('tenant_id', '=', tenantId)
      .where('caller', '=', caller)
      .where('key', '=', key)

  const columnsOf = ({ tenantId, caller, key, method, route, fingerprint }: KeyedRequest) => ({
    tenant_id: tenantId,
    caller,
    key,
    method,
    route,
    fingerprint
  })

  return {
    async lock(request, leaseMs) {
      // One statement, because a row that was there may be gone by the next: the update only locks it.
      const row = await db
        .insertInto('idempotency_keys')
        .values({ ...columnsOf(request), lease_until: fromNow(leaseMs) })
        .onConflict((conflict) =>
          conflict.columns(['tenant_id', 'caller', 'key']).doUpdateSet({ key: request.key })
        )
        .returning(['method', 'route', 'fingerprint', 'epoch', 'subject', 'answer'])
        .returning(sql<boolean>`xmax = 0`.as('is_new'))
        .returning(sql<boolean>`lease_until > now()`.as('is_leased'))
        .returning(sql<boolean>`created_at < now() - ${keptFor}`.as('is_expired'))
        .executeTakeFirstOrThrow(missing)
      return {
        isNew: row.is_new,
        row: {
          method: row.method,
          route: row.route,
          fingerprint: row.fingerprint,
          epoch: row.epoch,
          isLeased: row.is_leased,
          isExpired: row.is_expired,
          subject: row.subject ?? undefined,
          answer: row.answer ?? undefined
        }
      }
    },

    async takeOver(id, leaseMs) {
      const { epoch } = await rowOf(id)
        .set({ epoch: sql`epoch + 1`, lease_until: fromNow(leaseMs) })
        .returning('epoch')
        .executeTakeFirstOrThrow(missing)
      return epoch
    },

    async restart(request, leaseMs) {
      const { epoch } = await rowOf(request)
        .set({
          ...columnsOf(request),
          epoch: sql`epoch + 1`,
          lease_until: fromNow(leaseMs),
          subject: null,
          status: null,
          answer: null,
          created_at: sql<string>`now()`
        })
        .returning('epoch')
        .executeTakeFirstOrThrow(missing)
      return epoch
    },

    async setSubject(id, epoch, subject, leaseMs) {
      const { numUpdatedRows } = await rowOf(id)
        .set({ subject, lease_until: fromNow(leaseMs) })
        .where('epoch', '=', epoch)
        .executeTakeFirstOrThrow()
      return numUpdatedRows > 0n
    },

    async finish(id, epoch, status, answer) {
      await rowOf(id).set({ status, answer }).where('epoch', '=', epoch).execute()
    },

    async release({ tenantId, caller, key }, epoch) {
      const { numDeletedRows } = await db
        .deleteFrom('idempotency_keys')
        .where('tenant_id', '=', tenantId)
        .where('caller', '=', caller)
        .where('key', '=', key)
        .where('epoch', '=', epoch)
        .where('subject', 'is', null)
        .executeTakeFirstOrThrow()
      if (numDeletedRows > 0n) return
      await rowOf({ tenantId, caller, key })
        .set({ lease_until: fromNow(0) })
        .where('epoch', '=', epoch)
        .execute()
    }
  }
}

/** Forgets keys past their time. */
export async function sweepIdempotencyKeys(db: Kysely<Tables>): Promise<void> {
  await db.deleteFrom('idempotency_keys').where('created_at', '<', sql<number>`now() - ${keptFor}`).execute()
}
