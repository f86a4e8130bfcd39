import type { RefundStatus, RefundTrigger } from './refund.ts'

/** Of all tenants and replicas, as the database has it. Amounts are minor units. */
export type RefundTotals = {
  refunds: readonly {
    status: RefundStatus
    trigger: RefundTrigger
    currency: string
    count: number
    amount: number
  }[]
  /** How often Stripe was asked anew, under another idempotency key, after a proven absence. */
  keysRenewed: number
  /** Charges that cannot be refunded for their disputes. */
  chargesDisputed: number
  /** Since when the oldest refund is that Stripe has not answered for; undefined where there is none. */
  unresolvedSince?: number | undefined
  /** What is still to be read or decided, and since when the oldest. */
  tasks: number
  oldestTaskAt?: number | undefined
}
