import type { Booking } from './booking.ts'
import { stripeReferenceOf } from './booking-payment.ts'
import { connectedTenant } from './connection.ts'
import { AppError } from './errors.ts'
import { inTime } from './in-time.ts'
import { quantumOf } from './money.ts'
import type { RefundWish } from './payment-task.ts'
import type { ChargeFact, Payments } from './payments.ts'
import type { RefundReads } from './refund-tables.ts'
import type { System } from './system.ts'

type Deps = {
  system: Pick<System, 'sleep'>
  payments: Pick<Payments, 'isConfigured' | 'findCharge' | 'findIntentStatus'>
  reads: Pick<RefundReads, 'findCharge'>
}

/** Paid, or as good as: the bank is still at it, or the money is to be captured. */
const paidStatuses = ['succeeded', 'processing', 'requires_capture']
const patienceMs = 5_000

/** What is asked of a payment before anything is booked or canceled. */
export function createPaymentCheck({ system, payments, reads }: Deps) {
  const hasStripe = (tenantId: string) => payments.isConfigured && tenantId === connectedTenant

  return {
    /** Throws `payment_invalid`. Where Stripe cannot be asked the payment is taken unverified. */
    async checkIntent(tenantId: string, paymentIntent: string | undefined): Promise<void> {
      if (paymentIntent === undefined || !hasStripe(tenantId)) return
      let status: string | undefined
      try {
        status = await inTime(system, payments.findIntentStatus(paymentIntent), patienceMs)
      } catch (error) {
        if (error instanceof AppError && error.code === 'stripe_unavailable') return
        throw error
      }
      if (status !== undefined && paidStatuses.includes(status)) return
      const detail = status === undefined ? 'Stripe knows no such payment intent.' : `It is ${status}.`
      const faults = [{ pointer: '#/payment/payment_intent', detail }]
      throw new AppError('payment_invalid', detail, { faults })
    },

    /**
     * Whether what is wanted of a cancellation can be had, as Stripe has the charge now. Throws `not_refundable`,
     * `refund_exceeds_charge`, `nothing_to_refund`, `charge_disputed`, `stripe_unavailable`, `validation_failed`.
     */
    async checkWish(booking: Booking, wish: RefundWish): Promise<void> {
      if (wish === 'policy' || wish === 'none') return
      const reference = stripeReferenceOf(booking)
      if (reference === undefined) throw unpaid('It was not paid through Stripe.')
      if (!hasStripe(booking.tenantId)) throw new AppError('stripe_unavailable', 'Stripe is not connected.')
      const charge = await inTime(system, payments.findCharge(reference), patienceMs)
      if (!charge) throw unpaid('Stripe knows no charge of its payment.')
      if (!charge.isPaid || charge.captured === 0) throw unpaid('Nothing of its payment was captured.')
      if (charge.dispute) throw new AppError('charge_disputed')
      refuseExcess(wish, charge, await leftOf(booking.tenantId, charge))
    }
  }

  /** Less what is under way here and Stripe may know nothing of yet. */
  async function leftOf(tenantId: string, { id, captured, refunded }: ChargeFact): Promise<number> {
    const known = await reads.findCharge(tenantId, id)
    const taken = known ? known.reserved + known.elsewhere : 0
    return captured - Math.max(refunded, taken)
  }
}

export type PaymentCheck = ReturnType<typeof createPaymentCheck>

function refuseExcess(wish: 'full' | { amount: number }, { currency }: ChargeFact, left: number): void {
  const quantum = quantumOf(currency)
  if (left < quantum) throw new AppError('nothing_to_refund', 'Nothing of its payment is left.')
  if (wish === 'full') return
  if (wish.amount % quantum !== 0) {
    const detail = `An amount in ${currency} must be a multiple of ${quantum}.`
    throw new AppError('validation_failed', detail, { faults: [{ pointer: '#/refund/amount', detail }] })
  }
  if (wish.amount > left) {
    throw new AppError('refund_exceeds_charge', `Of its payment ${left} ${currency} are left.`)
  }
}

const unpaid = (detail: string) => new AppError('not_refundable', detail)
