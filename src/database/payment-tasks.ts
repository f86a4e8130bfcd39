import { type Kysely, type Selectable, sql } from 'kysely'
import type { PaymentTask, PaymentTaskKind, PaymentTaskTables, RefundTask } from '../core/payment-task.ts'
import { fromNow, instant } from './instant.ts'
import type { Tables } from './tables.ts'

type Row = Pick<
  Selectable<Tables['payment_tasks']>,
  'tenant_id' | 'booking_id' | 'kind' | 'details' | 'attempts' | 'created_at'
>

/** What is to be read or decided at Stripe, inside one transaction. */
export function createPaymentTasks(db: Kysely<Tables>): PaymentTaskTables['paymentTasks'] {
  return {
    async add({ tenantId, bookingId, createdAt, ...task }) {
      await db
        .insertInto('payment_tasks')
        .values({
          tenant_id: tenantId,
          booking_id: bookingId,
          kind: task.kind,
          details: JSON.stringify(task.kind === 'refund' ? task.refund : {}),
          created_at: instant(createdAt)
        })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'booking_id', 'kind']).doNothing())
        .execute()
    },

    async remove(tenantId, bookingId, kind) {
      await db
        .deleteFrom('payment_tasks')
        .where(isOf(tenantId, bookingId, kind))
        .execute()
    },

    async reassign(tenantId, from, to) {
      await sql`update payment_tasks moved set booking_id = ${to}, due_at = now()
        where moved.tenant_id = ${tenantId} and moved.booking_id = ${from} and not exists (
          select from payment_tasks own
          where own.tenant_id = ${tenantId} and own.booking_id = ${to} and own.kind = moved.kind)`.execute(db)
      await db
        .deleteFrom('payment_tasks')
        .where('tenant_id', '=', tenantId)
        .where('booking_id', '=', from)
        .execute()
    },

    async take(leaseMs) {
      const { rows } = await sql<Row>`
        update payment_tasks set due_at = ${fromNow(leaseMs)}, attempts = attempts + 1
        where (tenant_id, booking_id, kind) in (
          select tenant_id, booking_id, kind from payment_tasks
          where due_at <= now() order by due_at limit 1 for update skip locked)
        returning tenant_id, booking_id, kind, details, attempts, created_at`.execute(db)
      const [row] = rows
      return row && toTask(row)
    },

    async lock(tenantId, bookingId, kind) {
      const row = await db
        .selectFrom('payment_tasks')
        .select(['tenant_id', 'booking_id', 'kind', 'details', 'attempts', 'created_at'])
        .where(isOf(tenantId, bookingId, kind))
        .forUpdate()
        .executeTakeFirst()
      return row && toTask(row)
    },

    async postpone(tenantId, bookingId, kind, byMs) {
      await db
        .updateTable('payment_tasks')
        .set({ due_at: fromNow(byMs) })
        .where(isOf(tenantId, bookingId, kind))
        .execute()
    }
  }
}

const isOf = (tenantId: string, bookingId: string, kind: PaymentTaskKind) =>
  sql<boolean>`tenant_id = ${tenantId} and booking_id = ${bookingId} and kind = ${kind}`

function toTask(row: Row): PaymentTask {
  const { tenant_id: tenantId, booking_id: bookingId, attempts, created_at: createdAt } = row
  const common = { tenantId, bookingId, attempts, createdAt }
  return row.kind === 'refund'
    ? { ...common, kind: 'refund', refund: row.details as RefundTask }
    : { ...common, kind: 'read' }
}
