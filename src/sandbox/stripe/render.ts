import {
  type Charge,
  type Dispute,
  isInTheWay,
  type Owner,
  type PaymentIntent,
  type Refund,
  refundedOf,
  type StripeEvent
} from './records.ts'

/** What Stripe shows of things; what is not stood in for is empty. https://docs.stripe.com/api */
export function chargeBody(charge: Charge) {
  const { id, amount, captured, created, currency, livemode, metadata, status, disputes, intent } = charge
  const refunded = refundedOf(charge)
  const isFailed = status === 'failed'
  return {
    ...{ id, object: 'charge', amount, amount_captured: captured, amount_refunded: refunded },
    ...{ application: null, application_fee: null, application_fee_amount: null, balance_transaction: null },
    billing_details: { address: null, email: null, name: null, phone: null, tax_id: null },
    ...{ calculated_statement_descriptor: null, captured: captured > 0, created, currency, customer: null },
    ...{ description: null, disputed: disputes.length > 0, failure_balance_transaction: null },
    failure_code: isFailed ? 'card_declined' : null,
    failure_message: isFailed ? 'Your card was declined.' : null,
    ...{ fraud_details: {}, livemode, metadata, on_behalf_of: null, outcome: null },
    ...{ paid: status === 'succeeded', payment_intent: intent.id, payment_method: null },
    ...{ payment_method_details: null, receipt_email: null, receipt_number: null, receipt_url: null },
    ...{ refunded: captured > 0 && refunded === captured, review: null, shipping: null, source: null },
    ...{ source_transfer: null, statement_descriptor: null, statement_descriptor_suffix: null },
    ...{ status, transfer_data: null, transfer_group: null }
  }
}

export function intentBody({ id, amount, charge, created, currency, ...rest }: PaymentIntent) {
  const { status, livemode, metadata } = rest
  const isHeld = status === 'requires_capture'
  return {
    ...{ id, object: 'payment_intent', amount, amount_capturable: isHeld ? amount : 0 },
    ...{ amount_received: charge?.captured ?? 0, application: null, application_fee_amount: null },
    ...{ automatic_payment_methods: null, canceled_at: status === 'canceled' ? created : null },
    ...{ cancellation_reason: null, capture_method: isHeld ? 'manual' : 'automatic_async' },
    ...{ client_secret: `${id}_secret_sandbox`, confirmation_method: 'automatic', created, currency },
    ...{ customer: null, customer_account: null, description: null, last_payment_error: null },
    ...{ latest_charge: charge?.id ?? null, livemode, metadata, next_action: null, on_behalf_of: null },
    ...{ payment_method: null, payment_method_options: {}, payment_method_types: ['card'], processing: null },
    ...{ receipt_email: null, review: null, setup_future_usage: null, shipping: null, source: null },
    ...{ statement_descriptor: null, statement_descriptor_suffix: null, status, transfer_group: null }
  }
}

export function refundBody(refund: Refund) {
  const { id, amount, charge, created, metadata, reason, status, failureReason, instructionsEmail } = refund
  return {
    ...{ id, object: 'refund', amount, balance_transaction: null, charge: charge.id, created },
    ...{ currency: charge.currency, customer: null, customer_account: null },
    destination_details: { card: { reference_status: 'pending', type: 'refund' }, type: 'card' },
    ...((status === 'failed' || status === 'canceled') && {
      failure_balance_transaction: `txn_${id.slice(3)}`,
      failure_reason: failureReason ?? (status === 'failed' ? 'unknown' : 'merchant_request')
    }),
    ...(instructionsEmail !== undefined && { instructions_email: instructionsEmail }),
    ...{ metadata, payment_intent: charge.intent.id, payment_method: null },
    ...(status === 'pending' && { pending_reason: 'processing' }),
    ...{ reason, receipt_number: null, source_transfer_reversal: null, status, transfer_reversal: null }
  }
}

export function disputeBody(dispute: Dispute) {
  const { id, amount, charge, created, livemode, reason, status } = dispute
  return {
    ...{ id, object: 'dispute', amount, balance_transactions: [], charge: charge.id, created },
    ...{ currency: charge.currency, enhanced_eligibility_types: [], evidence: {} },
    evidence_details: {
      due_by: created + 7 * 86_400,
      has_evidence: false,
      past_due: false,
      submission_count: 0
    },
    ...{ is_charge_refundable: !isInTheWay(dispute), livemode, metadata: {} },
    ...{ payment_intent: charge.intent.id, reason, status }
  }
}

export function eventBody(
  { id, created, livemode, type, object, previous, by }: StripeEvent,
  version: string
) {
  return {
    ...{ id, object: 'event', api_version: version, created },
    data: { object, ...(previous && { previous_attributes: previous }) },
    ...{ livemode, pending_webhooks: 1, request: { id: by.request, idempotency_key: by.key }, type }
  }
}

export const accountBody = ({ account }: Owner) => ({
  ...{ id: account, object: 'account', charges_enabled: true, country: 'US', default_currency: 'usd' },
  ...{ details_submitted: true, email: null, payouts_enabled: true, type: 'standard' }
})

/** By currency, what was captured less what went back and what is disputed. */
export function balanceBody(charges: readonly Charge[], { livemode }: Owner) {
  const sums = new Map<string, number>()
  for (const charge of charges) {
    const disputed = charge.disputes.filter(isInTheWay).reduce((sum, { amount }) => sum + amount, 0)
    const kept = charge.captured - refundedOf(charge) - disputed
    sums.set(charge.currency, (sums.get(charge.currency) ?? 0) + kept)
  }
  const available = Array.from(sums, ([currency, amount]) => ({
    amount,
    currency,
    source_types: { card: amount }
  }))
  return { object: 'balance', available, livemode, pending: [] }
}
