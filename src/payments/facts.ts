import type Stripe from 'stripe'
import type { ChargeFact, DisputeFact, StripeRefundFact, StripeRefundStatus } from '../core/payments.ts'

/** Of disputes that are over and left the money where it was, or gave it back by a refund that Stripe made itself. */
const harmless: ReadonlySet<string> = new Set(['won', 'warning_closed', 'prevented'])

const statuses: ReadonlySet<string> = new Set<StripeRefundStatus>([
  'pending',
  'requires_action',
  'succeeded',
  'failed',
  'canceled'
])
const isStatus = (text: string | null): text is StripeRefundStatus => text !== null && statuses.has(text)

/** Whether Stripe counts something as refunded that may never have been taken. */
export const mayHoldRelease = ({ amount, amount_captured, amount_refunded }: Stripe.Charge): boolean =>
  amount_captured < amount && amount_refunded >= amount - amount_captured

/**
 * What a charge is for us, with all its disputes. `refunds`: all of it, oldest first, where one `mayHoldRelease`. What is
 * not captured Stripe refunds by itself, before anybody else can.
 */
export function chargeFact(
  charge: Stripe.Charge,
  disputes: readonly Stripe.Dispute[],
  refunds: readonly StripeRefundFact[]
): ChargeFact {
  const isPaid = charge.status === 'succeeded'
  const standing = disputes.find(({ status }) => !harmless.has(status))
  const uncaptured = charge.amount - charge.amount_captured
  const [first] = refunds
  const release =
    first?.amount === uncaptured && first.refundId === undefined && first.status === 'succeeded'
      ? first.id
      : undefined
  const dispute: DisputeFact | undefined = standing && { id: standing.id, status: standing.status }
  return {
    id: charge.id,
    paymentIntent: idOf(charge.payment_intent),
    currency: charge.currency.toLowerCase(),
    captured: isPaid ? charge.amount_captured : 0,
    refunded: charge.amount_refunded - (release === undefined ? 0 : uncaptured),
    release,
    isPaid,
    isPending: charge.status === 'pending',
    dispute,
    livemode: charge.livemode
  }
}

/** Undefined for what is no refund of a charge. */
export function refundFact(refund: Stripe.Refund): StripeRefundFact | undefined {
  const charge = idOf(refund.charge)
  if (typeof refund.id !== 'string' || charge === undefined || !Number.isInteger(refund.amount))
    return undefined
  return {
    id: refund.id,
    charge,
    amount: refund.amount,
    currency: refund.currency.toLowerCase(),
    // A status that is not known yet is one that may still change.
    status: isStatus(refund.status) ? refund.status : 'pending',
    failureReason: refund.failure_reason ?? undefined,
    refundId: refund.metadata?.refund_id,
    reason: refund.reason ?? undefined,
    createdAt: refund.created * 1000
  }
}

/** Stripe names another object by its id, or shows it whole. */
export function idOf(named: string | { id: string } | null | undefined): string | undefined {
  return typeof named === 'object' ? named?.id : named
}
