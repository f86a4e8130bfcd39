import { type Kysely, type Selectable, sql } from 'kysely'
import type { Delivery, DeliveryStatus } from '../core/deliveries.ts'
import type { InboxTables } from '../core/inbox.ts'
import { pullLease } from '../core/stale-pulls.ts'
import { toDelivery } from './deliveries.ts'
import { fromNow } from './instant.ts'
import { isCurrentEpoch } from './leases.ts'
import type { Tables } from './tables.ts'

const isStaleAndDue = sql`status = 'quarantined' and reason = 'stale' and due_at <= now()`

/** Deliveries inside one transaction. */
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

    async take(id) {
      const row = await db
        .selectFrom('deliveries')
        .selectAll()
        .where('id', '=', id)
        .where('status', '=', 'received')
        .forUpdate()
        .executeTakeFirst()
      return row && toDelivery(row)
    },

    async lease(id, leaseMs) {
      await db
        .updateTable('deliveries')
        .set({ due_at: fromNow(leaseMs) })
        .where('id', '=', id)
        .execute()
    },

    async takeStale(leaseMs) {
      const { rows } = await sql<Selectable<Tables['deliveries']>>`
        with first as (
          select id, tenant_id, subject from deliveries where ${isStaleAndDue} order by due_at limit 1),
        same as (
          select id from deliveries where id = (select id from first)
            or (tenant_id = (select tenant_id from first) and subject = (select subject from first)
              and ${isStaleAndDue})
          order by id for update skip locked)
        update deliveries set due_at = ${fromNow(leaseMs)} where id in (select id from same)
        returning *`.execute(db)
      return rows.map(toDelivery).toSorted((one, other) => (one.id < other.id ? -1 : 1))
    },

    async settle(delivery, status, reason) {
      await db
        .updateTable('deliveries')
        .set({ ...settled(status, reason), ...about(delivery) })
        .where('id', '=', delivery.id)
        .execute()
    },

    async settlePulled(ids, status, reason) {
      await db
        .updateTable('deliveries')
        .set(settled(status, reason))
        .where('id', 'in', ids)
        .where('status', '=', 'quarantined')
        .execute()
    },

    async fail(delivery, reason, retryInMs) {
      const { id, status, attempts } = delivery
      await db
        .updateTable('deliveries')
        .set({
          ...about(delivery),
          attempts: attempts + 1,
          reason: status === 'quarantined' && retryInMs !== undefined ? 'stale' : reason,
          ...(retryInMs === undefined ? { status: 'dead', due_at: null } : { due_at: fromNow(retryInMs) })
        })
        .where('id', '=', id)
        .where('status', '=', status)
        .where('attempts', '=', attempts)
        .execute()
    },

    isPullHeld: (epoch) => isCurrentEpoch(db, pullLease, epoch)
  }
}

const about = ({ event, subject }: Delivery) => ({ event: event ?? null, subject: subject ?? null })

function settled(status: DeliveryStatus, reason: string | undefined) {
  return {
    status,
    attempts: sql<number>`attempts + 1`,
    due_at: null,
    reason: reason ?? null,
    ...(status === 'processed' && { processed_at: fromNow(0) })
  }
}
