import { type Kysely, type Selectable, sql } from 'kysely'
import type { Delivery, DeliveryStatus } from '../core/deliveries.ts'
import type { InboxTables } from '../core/inbox.ts'
import { fromNow, instant } from './instant.ts'
import type { Tables } from './tables.ts'

export function createDeliveryRows(db: Kysely<Tables>): InboxTables['deliveries'] {
  return {
    async takeDue() {
      const row = await db
        .selectFrom('deliveries')
        .selectAll()
        .where('status', '=', 'received')
        .where('due_at', '<=', sql<number>`now()`)
        .orderBy('due_at')
        .limit(1)
        .forUpdate()
        .skipLocked()
        .executeTakeFirst()
      return row && toDelivery(row)
    },

    async takeStale(leaseMs) {
      const row = await db
        .updateTable('deliveries')
        .set({ due_at: fromNow(leaseMs) })
        .where('id', '=', (eb) =>
          eb
            .selectFrom('deliveries')
            .select('id')
            .where('status', '=', 'quarantined')
            .where('due_at', '<=', sql<number>`now()`)
            .orderBy('due_at')
            .limit(1)
            .forUpdate()
            .skipLocked()
        )
        .returningAll()
        .executeTakeFirst()
      return row && toDelivery(row)
    },

    async settle(id, status, reason) {
      await db
        .updateTable('deliveries')
        .set({
          status,
          due_at: null,
          ...(reason !== undefined && { reason }),
          ...(status === 'processed' && { processed_at: fromNow(0), reason: null })
        })
        .where('id', '=', id)
        .execute()
    },

    async fail(id, reason, retryInMs) {
      await db
        .updateTable('deliveries')
        .set({
          attempts: sql`attempts + 1`,
          reason,
          ...(retryInMs === undefined ? { status: 'dead', due_at: null } : { due_at: fromNow(retryInMs) })
        })
        .where('id', '=', id)
        .execute()
    }
  }
}

/** Durable once resolved. False when the same bytes are there already. */
export async function insertDelivery(db: Kysely<Tables>, delivery: Delivery): Promise<boolean> {
  const inserted = await db
    .insertInto('deliveries')
    .values({
      id: delivery.id,
      tenant_id: delivery.tenantId,
      slot: delivery.slot ?? null,
      digest: delivery.digest,
      body: delivery.body,
      event: delivery.event ?? null,
      signed_at: instant(delivery.signedAt),
      status: delivery.status,
      reason: delivery.reason ?? null,
      // What cannot be read has nothing to wait for.
      ...(delivery.reason === 'unreadable' && { due_at: null })
    })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'digest']).doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted !== undefined
}

export async function findDelivery(
  db: Kysely<Tables>,
  tenantId: string,
  digest: Buffer
): Promise<Pick<Delivery, 'status' | 'reason'> | undefined> {
  const row = await db
    .selectFrom('deliveries')
    .select(['status', 'reason'])
    .where('tenant_id', '=', tenantId)
    .where('digest', '=', digest)
    .executeTakeFirst()
  return row && { status: row.status as DeliveryStatus, reason: row.reason ?? undefined }
}

export type InboxState = { waiting: number; dead: number; lagMs: number; lastReceivedAt?: number | undefined }

/** How much waits and for how long, by the database's clock. */
export async function inboxState(db: Kysely<Tables>): Promise<InboxState> {
  const { rows } = await sql<{ waiting: number; dead: number; lag_ms: number; last: number | null }>`
    select count(*) filter (where status = 'received') as waiting,
      count(*) filter (where status = 'dead') as dead,
      coalesce(extract(epoch from now() - min(received_at) filter (where status = 'received')), 0)::float8 * 1000
        as lag_ms,
      (select received_at from deliveries order by id desc limit 1) as last
    from deliveries where status <> 'processed'`.execute(db)
  const { waiting = 0, dead = 0, lag_ms = 0, last = null } = rows[0] ?? {}
  return { waiting, dead, lagMs: Math.round(lag_ms), lastReceivedAt: last ?? undefined }
}

function toDelivery(row: Selectable<Tables['deliveries']>): Delivery {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    slot: row.slot ?? undefined,
    body: row.body,
    digest: row.digest,
    event: row.event ?? undefined,
    signedAt: row.signed_at,
    status: row.status as DeliveryStatus,
    reason: row.reason ?? undefined,
    attempts: row.attempts
  }
}
