import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

/**
 * A booking has one refund that nobody asked for: where `to` has one, that of `from` stays where it is. Stripe goes on
 * hearing of the first booking: a key that comes with other parameters is refused.
 */
export async function reassignRefunds(
  db: Kysely<Tables>,
  tenantId: string,
  from: string,
  to: string
): Promise<void> {
  await sql`update refunds set booking_id = ${to},
      details = jsonb_build_object('toldBookingId', booking_id) || details
    where tenant_id = ${tenantId} and booking_id = ${from} and not (trigger in ('cancellation', 'no_show') and exists (
      select from refunds own where own.tenant_id = ${tenantId} and own.booking_id = ${to}
        and own.trigger in ('cancellation', 'no_show')))`.execute(db)
}
