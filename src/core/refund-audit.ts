import { type AuditTables, actorOf } from './audit.ts'
import type { Caller } from './callers.ts'
import type { Refund } from './refund.ts'

/** Who asked for a refund, or decided on it. */
export async function auditRefund(
  { audit }: AuditTables,
  caller: Caller,
  { id: subject, tenantId, bookingId: booking, amount, currency }: Refund,
  what: 'requested' | 'retried' | 'approved' | 'rejected',
  at: number
): Promise<void> {
  const detail = { booking, amount, currency }
  await audit.add({ tenantId, at, actor: actorOf(caller), action: `refund.${what}`, subject, detail })
}
