import type { AuditTables } from './audit.ts'
import type { NewsTables } from './events.ts'
import type { IdempotencyTables } from './idempotency.ts'
import type { ReconciliationTables } from './reconciliation.ts'
import type { SubscriptionReport } from './subscription.ts'
import type { SlotRows } from './webhook-slots.ts'

/** The report of a tenant's subscription inside one transaction. */
export type SubscriptionRows = {
  put: (tenantId: string, report: SubscriptionReport) => Promise<void>
  /** Whether the lease is still the one with this epoch; if so it stays that until the transaction ends. */
  isHeld: (epoch: number) => Promise<boolean>
  /** When the tenant's latest delivery came. */
  lastDeliveryAt: (tenantId: string) => Promise<number | undefined>
}

export type SubscriptionTables = NewsTables &
  AuditTables &
  IdempotencyTables & {
    reconciliations: Pick<ReconciliationTables['reconciliations'], 'insert'>
    subscriptions: SubscriptionRows
    webhookSlots: SlotRows
  }

/** The same outside a transaction. */
export type SubscriptionReads = Pick<SubscriptionRows, 'lastDeliveryAt'> & {
  find: (tenantId: string) => Promise<SubscriptionReport | undefined>
}
