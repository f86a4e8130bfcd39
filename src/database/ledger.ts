import type { Kysely } from 'kysely'
import type { RefundTables } from '../core/refund-tables.ts'
import type { System } from '../core/system.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

/** One ledger transaction of two entries that sum to zero; a trigger keeps what is written. */
export function createLedger(db: Kysely<Tables>, { id }: Pick<System, 'id'>): RefundTables['ledger'] {
  return {
    async post({ tenantId, charge, refundId, from, to, amount, currency, at }) {
      const entry = {
        ...{ tenant_id: tenantId, transaction_id: id(), charge, refund_id: refundId ?? null },
        ...{ currency, at: instant(at) }
      }
      await db
        .insertInto('ledger_entries')
        .values([
          { ...entry, account: from, amount: -amount },
          { ...entry, account: to, amount }
        ])
        .execute()
    }
  }
}
