import { type Kysely, type Selectable, sql } from 'kysely'
import type { Refund, RefundStatus, RefundTrigger } from '../core/refund.ts'
import type { RefundFilter, RefundTables } from '../core/refund-tables.ts'
import { fromNow, instant } from './instant.ts'
import { reassignRefunds } from './refund-reassignment.ts'
import type { Tables } from './tables.ts'

type Row = Selectable<Tables['refunds']>
/** What has a column of its own is not kept twice. */
type Details = Pick<
  Refund,
  | 'percentHundredths'
  | 'rule'
  | 'policy'
  | 'reason'
  | 'failureReason'
  | 'retryOf'
  | 'toldBookingId'
  | 'resolution'
  | 'history'
>

/** Refunds inside one transaction. */
export function createRefundRows(db: Kysely<Tables>): RefundTables['refunds'] {
  return {
    async insert(refund, resolveInMs) {
      await db
        .insertInto('refunds')
        .values({ ...toRow(refund), resolve_at: dueIn(resolveInMs) })
        .execute()
    },

    async update(refund, resolveInMs) {
      const { numUpdatedRows } = await db
        .updateTable('refunds')
        .set({ ...toRow(refund), resolve_at: dueIn(resolveInMs) })
        .where('tenant_id', '=', refund.tenantId)
        .where('id', '=', refund.id)
        .where('version', '=', refund.version - 1)
        .executeTakeFirstOrThrow()
      if (numUpdatedRows !== 1n) throw new Error(`${refund.id} was changed without its lock`)
    },

    async lock(tenantId, id) {
      const row = await db
        .selectFrom('refunds')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .where('id', '=', id)
        .forUpdate()
        .executeTakeFirst()
      return row && toRefund(row)
    },

    async lockByCharge(tenantId, charge) {
      const rows = await db
        .selectFrom('refunds')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .where('charge', '=', charge)
        .orderBy('id')
        .forUpdate()
        .execute()
      return rows.map(toRefund)
    },

    async takeDue(leaseMs) {
      const row = await db
        .updateTable('refunds')
        .set({ resolve_at: fromNow(leaseMs) })
        .where('id', '=', (eb) =>
          eb
            .selectFrom('refunds')
            .select('id')
            .where('resolve_at', '<=', sql<number>`now()`)
            .orderBy('resolve_at')
            .limit(1)
            .forUpdate()
            .skipLocked()
        )
        .returningAll()
        .executeTakeFirst()
      return row && toRefund(row)
    },

    async hasAutomatic(tenantId, bookingId) {
      const row = await db
        .selectFrom('refunds')
        .select('id')
        .where('tenant_id', '=', tenantId)
        .where('booking_id', '=', bookingId)
        .where('trigger', 'in', automatic)
        .executeTakeFirst()
      return row !== undefined
    },

    reassign: (tenantId, from, to) => reassignRefunds(db, tenantId, from, to)
  }
}

const automatic = ['cancellation', 'no_show']

export async function findRefund(
  db: Kysely<Tables>,
  tenantId: string,
  id: string
): Promise<Refund | undefined> {
  const row = await db
    .selectFrom('refunds')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row && toRefund(row)
}

/** Newest first. */
export async function listRefunds(
  db: Kysely<Tables>,
  tenantId: string,
  { bookingId, status, before, limit }: RefundFilter
): Promise<Refund[]> {
  const rows = await db
    .selectFrom('refunds')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .$if(bookingId !== undefined, (query) => query.where('booking_id', '=', bookingId ?? ''))
    .$if(status !== undefined, (query) => query.where('status', '=', status ?? ''))
    .$if(before !== undefined, (query) => query.where('id', '<', before ?? ''))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(toRefund)
}

const dueIn = (ms: number | undefined) => (ms === undefined ? null : fromNow(ms))

function toRow(refund: Refund) {
  const { percentHundredths, rule, policy, reason, failureReason, retryOf, resolution, history } = refund
  const { toldBookingId } = refund
  const described = { percentHundredths, rule, policy, reason, failureReason }
  const details = { ...described, retryOf, toldBookingId, resolution, history }
  return {
    id: refund.id,
    tenant_id: refund.tenantId,
    booking_id: refund.bookingId,
    charge: refund.charge,
    status: refund.status,
    trigger: refund.trigger,
    amount: refund.amount,
    currency: refund.currency,
    idempotency_key: refund.idempotencyKey ?? null,
    stripe_refund: refund.stripeRefund ?? null,
    details: JSON.stringify(details satisfies Details),
    version: refund.version,
    created_at: instant(refund.createdAt),
    updated_at: instant(refund.updatedAt)
  }
}

function toRefund(row: Row): Refund {
  return {
    ...(row.details as Details),
    id: row.id,
    tenantId: row.tenant_id,
    bookingId: row.booking_id,
    charge: row.charge,
    status: row.status as RefundStatus,
    trigger: row.trigger as RefundTrigger,
    amount: row.amount,
    currency: row.currency,
    idempotencyKey: row.idempotency_key ?? undefined,
    stripeRefund: row.stripe_refund ?? undefined,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at
  }
}
