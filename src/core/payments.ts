/**
 * What Stripe can tell us, in the shapes the core works with: amounts are Stripe's integers in minor units,
 * currencies lower-case, instants epoch milliseconds, absence is `undefined`.
 */

/** Why a charge must not be refunded now, by its disputes; one that was won or withdrawn does not count. */
export type DisputeFact = { id: string; status: string }

export type ChargeFact = {
  /** `ch_…` or `py_…`. */
  id: string
  paymentIntent?: string | undefined
  currency: string
  /** What was really taken, after partial captures; 0 while nothing was. */
  captured: number
  /** Stripe's own `amount_refunded`, less what was never taken. */
  refunded: number
  /** What Stripe calls the refund that only let go what was never taken: no money went back with it. */
  release?: string | undefined
  isPaid: boolean
  /** Neither paid nor failed: the bank is still at it, which may take days. */
  isPending?: boolean | undefined
  dispute?: DisputeFact | undefined
  livemode: boolean
}

export type StripeRefundStatus = 'pending' | 'requires_action' | 'succeeded' | 'failed' | 'canceled'

export type StripeRefundFact = {
  /** `re_…` or `pyr_…`. */
  id: string
  charge: string
  amount: number
  currency: string
  status: StripeRefundStatus
  failureReason?: string | undefined
  /** Our own id, where we made it. */
  refundId?: string | undefined
  reason?: string | undefined
  createdAt: number
}

export type StripeRefundRequest = {
  charge: string
  amount: number
  /** Stripe's idempotency key, stored before it is used. */
  key: string
  /** Go into `metadata` as `refund_id` and `booking_id`. */
  refundId: string
  bookingId: string
}

/** Nothing reached Stripe, or it surely did nothing: the same request may be sent again. */
export type StripeNotDone = {
  kind: 'not_done'
  detail: string
  retryAfterMs?: number | undefined
  cause?: unknown
}

export type StripeRefundOutcome =
  | { kind: 'done'; refund: StripeRefundFact }
  /** Stripe's own code, such as `charge_already_refunded`, and words. */
  | { kind: 'refused'; code: string; detail: string }
  | StripeNotDone
  /** It may or may not have happened. `isKept`: Stripe failed, and answers so under this key from now on. */
  | { kind: 'ambiguous'; cause: unknown; isKept?: boolean }

/** A verified webhook of Stripe's, no more than a hint: what it speaks of is read before anything is believed. */
export type StripeHint = {
  id: string
  type: string
  livemode: boolean
  /** The charge it speaks of, where it does. */
  charge?: string | undefined
}

/** Every read throws `stripe_unavailable` where Stripe cannot be asked. */
export type Payments = {
  /** False without STRIPE_SECRET_KEY: nothing can be read or refunded. */
  isConfigured: boolean
  livemode: boolean
  /** By `ch_…`, `py_…` or `pi_…`; undefined where this account and mode know none, or the intent has no charge. */
  findCharge: (reference: string) => Promise<ChargeFact | undefined>
  /** The status of a payment intent, such as `succeeded`; undefined where it is unknown. */
  findIntentStatus: (paymentIntent: string) => Promise<string | undefined>
  findRefund: (id: string) => Promise<StripeRefundFact | undefined>
  /** All of a charge, oldest first. */
  listRefunds: (charge: string) => Promise<readonly StripeRefundFact[]>
  /** All of the account made in the range, oldest first. */
  listRefundsBetween: (from: number, to: number) => Promise<readonly StripeRefundFact[]>
  /** Charges of the account of which a dispute was opened in the range. */
  listDisputedBetween: (from: number, to: number) => Promise<readonly string[]>
  refund: (request: StripeRefundRequest) => Promise<StripeRefundOutcome>
}
