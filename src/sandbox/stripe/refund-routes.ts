import type { Account } from './account.ts'
import { malformed, refused } from './errors.ts'
import { choiceIn, integerIn, metadataIn, refuseUnknown, textIn } from './parameters.ts'
import type { Charge } from './records.ts'
import { refundBody } from './render.ts'
import { type Asked, find, type Route } from './route.ts'

const known = [
  ...[
    'charge',
    'payment_intent',
    'amount',
    'reason',
    'metadata',
    'instructions_email',
    'currency',
    'customer'
  ],
  ...['origin', 'refund_application_fee', 'reverse_transfer']
]
const terms = { permission: 'refunds_write', shown: 'refund' } as const
const reasons = ['duplicate', 'fraudulent', 'requested_by_customer']

/** https://docs.stripe.com/api/refunds/create */
export function refundRoutes(route: Route, account: Account) {
  route('POST', '/refunds', terms, (asked) => {
    const { form, by } = asked
    refuseUnknown(form, known)
    const wish = {
      amount: integerIn(form, 'amount', { least: 1 }),
      reason: choiceIn(form, 'reason', reasons),
      instructionsEmail: textIn(form, 'instructions_email'),
      metadata: metadataIn(form),
      by
    }
    return refundBody(account.refund(chargeToRefund(account, asked), wish))
  })

  route('POST', '/refunds/:id/cancel', terms, ({ key, id, form, by }) => {
    refuseUnknown(form, [])
    const refund = find(account.refunds, id, { key, what: 'refund', param: 'refund' })
    if (refund.status !== 'requires_action') {
      throw refused(`Refund ${id} is ${refund.status}; only one that requires action can be canceled.`)
    }
    account.turn(refund, 'canceled', { by })
    return refundBody(refund)
  })
}

function chargeToRefund({ charges, intents }: Account, { key, form }: Asked): Charge {
  const chargeId = textIn(form, 'charge')
  const intentId = textIn(form, 'payment_intent')
  if (chargeId !== undefined) return find(charges, chargeId, { key, what: 'charge', param: 'charge' })
  if (intentId === undefined) {
    const words = 'One of the following params should be provided for this request: payment_intent or charge.'
    throw malformed(words, { code: 'parameter_missing' })
  }
  const intent = find(intents, intentId, { key, what: 'payment_intent', param: 'payment_intent' })
  if (intent.charge) return intent.charge
  throw refused(`This PaymentIntent (${intent.id}) does not have a successful charge to refund.`)
}
