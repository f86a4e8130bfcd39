import type { Kysely, Selectable } from 'kysely'
import type { DeliveryStatus } from '../core/deliveries.ts'
import type { DeliveryFilter, KeptDelivery, KeptDeliveryReads } from '../core/webhook-deliveries.ts'
import { fromNow } from './instant.ts'
import type { Tables } from './tables.ts'

const shown = [
  'id',
  'tenant_id',
  'slot',
  'event',
  'subject',
  'signed_at',
  'received_at',
  'status',
  'reason',
  'attempts',
  'due_at',
  'processed_at'
] as const

export function readWebhookDeliveries(db: Kysely<Tables>): KeptDeliveryReads {
  return {
    async list(tenantId, { before, status, event, limit }: DeliveryFilter & { before?: string | undefined }) {
      const rows = await db
        .selectFrom('deliveries')
        .select(shown)
        .where('tenant_id', '=', tenantId)
        .$if(before !== undefined, (query) => query.where('id', '<', before ?? ''))
        .$if(status !== undefined, (query) => query.where('status', '=', status ?? ''))
        .$if(event !== undefined, (query) => query.where('event', '=', event ?? ''))
        .orderBy('id', 'desc')
        .limit(limit)
        .execute()
      return rows.map(toKept)
    },

    async find(tenantId, id) {
      const row = await db
        .selectFrom('deliveries')
        .select([...shown, 'body'])
        .where('tenant_id', '=', tenantId)
        .where('id', '=', id)
        .executeTakeFirst()
      return row && { ...toKept(row), body: row.body }
    }
  }
}

/** Inside one transaction. */
export function createReplay(db: Kysely<Tables>) {
  return {
    async replay(tenantId: string, id: string): Promise<KeptDelivery | undefined> {
      const row = await db
        .updateTable('deliveries')
        .set({ status: 'received', reason: null, attempts: 0, due_at: fromNow(0), processed_at: null })
        .where('tenant_id', '=', tenantId)
        .where('id', '=', id)
        .returning(shown)
        .executeTakeFirst()
      return row && toKept(row)
    }
  }
}

function toKept(row: Pick<Selectable<Tables['deliveries']>, (typeof shown)[number]>): KeptDelivery {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    slot: row.slot ?? undefined,
    event: row.event ?? undefined,
    subject: row.subject ?? undefined,
    signedAt: row.signed_at,
    receivedAt: row.received_at,
    status: row.status as DeliveryStatus,
    reason: row.reason ?? undefined,
    attempts: row.attempts,
    dueAt: row.due_at ?? undefined,
    processedAt: row.processed_at ?? undefined
  }
}
