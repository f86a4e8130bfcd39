import { type Kysely, type Selectable, sql } from 'kysely'
import type { Delivery, DeliveryStatus } from '../core/deliveries.ts'
import { fromNow } from './instant.ts'
import type { Tables } from './tables.ts'

/** One statement: the ids of those that were not there before, which are durable once it resolves. */
export async function insertDeliveries(
  db: Kysely<Tables>,
  deliveries: readonly Delivery[]
): Promise<ReadonlySet<string>> {
  // In one order everywhere: two statements with the same copies would wait for each other.
  const ordered = deliveries.toSorted((one, other) => Buffer.compare(one.digest, other.digest))
  let end = 1
  const rows = ordered.map(({ body, ...delivery }) => {
    const start = end
    end += digestBytes + body.length
    return { ...rowOf(delivery), start, size: body.length }
  })
  // What cannot be read has nothing to wait for. All bytes as one parameter: each as its own would cost more than all the rest.
  const bytes = Buffer.concat(ordered.flatMap(({ digest, body }) => [digest, body]))
  const { rows: fresh } = await sql<{ id: string }>`
    insert into deliveries
      (id, tenant_id, slot, digest, body, event, subject, signed_at, status, reason, attempts, due_at)
    select id, tenant_id, slot, substring(bytes from start for ${digestBytes}::int),
      substring(bytes from start + ${digestBytes}::int for size), event, subject, to_timestamp(signed), status, reason,
      attempts, case when reason = 'unreadable' then null else now() end
    from
      json_to_recordset(${JSON.stringify(rows)}::text::json) as sent (
        id text, tenant_id text, slot text, event text, subject text, signed float8, status text,
        reason text, attempts int, start int, size int),
      (select ${bytes}::bytea as bytes) as held
    order by start
    on conflict (tenant_id, digest) do nothing
    returning id`.execute(db)
  return new Set(fresh.map(({ id }) => id))
}

const digestBytes = 32

const rowOf = (delivery: Omit<Delivery, 'body'>) => ({
  id: delivery.id,
  tenant_id: delivery.tenantId,
  slot: delivery.slot,
  event: delivery.event,
  subject: delivery.subject,
  signed: delivery.signedAt / 1000,
  status: delivery.status,
  reason: delivery.reason,
  attempts: delivery.attempts
})

/** Believes what was set aside as stale: the same bytes have come freshly signed. */
export async function believeDelivery(db: Kysely<Tables>, tenantId: string, digest: Buffer): Promise<void> {
  await db
    .updateTable('deliveries')
    .set({ status: 'received', reason: null, attempts: 0, due_at: fromNow(0) })
    .where('tenant_id', '=', tenantId)
    .where('digest', '=', digest)
    .where('status', '=', 'quarantined')
    .where('reason', 'in', ['stale', 'subject_not_found'])
    .execute()
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

export function toDelivery(row: Selectable<Tables['deliveries']>): Delivery {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    slot: row.slot ?? undefined,
    body: row.body,
    digest: row.digest,
    event: row.event ?? undefined,
    subject: row.subject ?? undefined,
    signedAt: row.signed_at,
    status: row.status as DeliveryStatus,
    reason: row.reason ?? undefined,
    attempts: row.attempts
  }
}
