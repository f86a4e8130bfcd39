import type { RefundTotals } from '../core/refund-report.ts'
import { type Family, inSeconds } from './exposition.ts'

export type RefundReports = {
  refunds: RefundTotals | undefined
  /** By this replica, by outcome. */
  looks: Readonly<Record<string, number>>
  submissions: Readonly<Record<string, number>>
}

const byOutcome = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).map(([outcome, n]) => [n, { outcome }] as const)

/** What became of money; nothing in it names a person, a charge or a booking. */
export const refundMetrics: readonly Family<RefundReports>[] = [
  {
    name: 'refunds',
    type: 'gauge',
    help: 'Refunds by where they are.',
    read: ({ refunds }) =>
      refunds?.refunds.map(({ status, trigger, currency, count }) => [count, { status, trigger, currency }])
  },
  {
    name: 'refunds_amount',
    type: 'gauge',
    help: 'Their sum in minor units.',
    read: ({ refunds }) =>
      refunds?.refunds.map(({ status, trigger, currency, amount }) => [amount, { status, trigger, currency }])
  },
  {
    name: 'refund_unresolved_since_timestamp_seconds',
    type: 'gauge',
    help: 'Since when the oldest refund is that Stripe has not answered for.',
    read: ({ refunds }) => inSeconds(refunds?.unresolvedSince)
  },
  {
    name: 'refund_submissions_total',
    type: 'counter',
    help: 'Refunds sent to Stripe.',
    read: ({ submissions }) => byOutcome(submissions)
  },
  {
    name: 'refund_keys_renewed_total',
    type: 'counter',
    help: 'Refunds sent to Stripe once more under another key after a proven absence.',
    read: ({ refunds }) => refunds?.keysRenewed
  },
  {
    name: 'payment_tasks',
    type: 'gauge',
    help: 'Payments still to be read or refunds to be decided.',
    read: ({ refunds }) => refunds?.tasks
  },
  {
    name: 'payment_tasks_oldest_timestamp_seconds',
    type: 'gauge',
    help: 'Since when the oldest of these is.',
    read: ({ refunds }) => inSeconds(refunds?.oldestTaskAt)
  },
  {
    name: 'charges_disputed',
    type: 'gauge',
    help: 'Charges that cannot be refunded for their disputes.',
    read: ({ refunds }) => refunds?.chargesDisputed
  },
  {
    name: 'charge_looks_total',
    type: 'counter',
    help: 'Charges read from Stripe to bring ours up to date.',
    read: ({ looks }) => byOutcome(looks)
  }
]
