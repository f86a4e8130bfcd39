import type { PaymentFact } from './calendly.ts'

/** A charge of Stripe's as it was read last: integers in minor units. */
export type PaidCharge = {
  id: string
  paymentIntent?: string | undefined
  /** What was captured. */
  amount: number
  currency: string
  /** What came of refunds, ours and those made in Stripe itself. */
  refundedAmount: number
}

/** As Calendly or a caller told of it and, once that was read, as Stripe has it. */
export type BookingPayment = (PaymentFact | { provider: 'stripe'; paymentIntent: string }) & {
  charge?: PaidCharge | undefined
}

type Paid = { payment?: BookingPayment | undefined }

/** Stripe's `ch_…`, `py_…` or `pi_…`, or what another provider calls it, as it was told. */
export const referenceOf = (payment: BookingPayment): string =>
  'paymentIntent' in payment ? payment.paymentIntent : payment.externalId

export const isSuccessful = (payment: BookingPayment): boolean =>
  'paymentIntent' in payment || payment.successful

export const isStripes = ({ provider }: BookingPayment): boolean => provider.toLowerCase() === 'stripe'

/**
 * What Stripe knows the payment by; undefined where nothing was paid through Stripe. A charge that came to nothing may have
 * been followed by another of its intent.
 */
export function stripeReferenceOf({ payment }: Paid): string | undefined {
  if (!payment || !isStripes(payment) || !isSuccessful(payment)) return undefined
  const { charge } = payment
  if (charge?.amount === 0 && charge.paymentIntent !== undefined) return charge.paymentIntent
  return charge?.id ?? referenceOf(payment)
}

/** The payment with its charge as it is now; without `refundedAmount` that stays as it was. */
export function withCharge(
  { payment }: Paid,
  charge: { id: string; paymentIntent?: string | undefined; captured: number; currency: string },
  refundedAmount?: number
): { payment: BookingPayment | undefined } {
  if (!payment) return { payment }
  const known = payment.charge?.id === charge.id ? payment.charge.refundedAmount : 0
  const { id, paymentIntent, captured: amount, currency } = charge
  return {
    payment: {
      ...payment,
      charge: { id, paymentIntent, amount, currency, refundedAmount: refundedAmount ?? known }
    }
  }
}

/**
 * What is known of a payment once another word of it was heard, in any order: of two the one that succeeded counts, of
 * two that did the earlier one, and nothing takes back what was paid.
 */
export function joinedPayment(
  earlier: BookingPayment | undefined,
  later: BookingPayment | undefined
): BookingPayment | undefined {
  if (!earlier || !later) return earlier ?? later
  if (isSamePayment(earlier, later)) {
    const base = isSuccessful(earlier) || !isSuccessful(later) ? earlier : later
    const charge = earlier.charge ?? later.charge
    return charge === base.charge ? base : { ...base, charge }
  }
  return isSuccessful(earlier) || !isSuccessful(later) ? earlier : later
}

function isSamePayment(one: BookingPayment, other: BookingPayment): boolean {
  return referencesOf(one).some((reference) => referencesOf(other).includes(reference))
}

function referencesOf(payment: BookingPayment): (string | undefined)[] {
  const { charge } = payment
  return [referenceOf(payment), charge?.id, charge?.paymentIntent].filter((one) => one !== undefined)
}
