import { sql } from 'kysely'
import type { IntegrityBounds, Invariant } from '../core/integrity.ts'
import type { Engine } from './engine.ts'
import type { Count } from './integrity-counts.ts'
import { bookingInvariants } from './integrity-of-bookings.ts'
import { messageInvariants } from './integrity-of-messages.ts'
import { refundInvariants } from './integrity-of-refunds.ts'

/** PostgreSQL's alone; a look that takes longer is given up. */
const longestMs = 10_000

const counts: Readonly<Record<Invariant, Count>> = {
  ...bookingInvariants,
  ...messageInvariants,
  ...refundInvariants
}

/** Writes nothing. A transaction for each, so that on the embedded engine others come in between. */
export function createIntegrityCounts({ transaction }: Pick<Engine, 'transaction'>) {
  return async (invariant: Invariant, bounds: IntegrityBounds, tenantId?: string): Promise<number> => {
    const isOurs = (table: string) =>
      tenantId === undefined
        ? sql<boolean>`true`
        : sql<boolean>`${sql.ref(`${table}.tenant_id`)} = ${tenantId}`
    const query = counts[invariant]({ ...bounds, isOurs })
    return transaction(async (tx) => {
      await sql`set transaction read only`.execute(tx)
      await sql`set local statement_timeout = ${sql.lit(longestMs)}`.execute(tx)
      const { rows } = await query.execute(tx)
      return rows[0]?.violations ?? 0
    })
  }
}
