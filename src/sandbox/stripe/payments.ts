import type { Books } from './books.ts'
import { type Charge, type PaymentIntent, standardAccount } from './records.ts'

export type Payment = {
  account?: string | undefined
  livemode?: boolean
  amount: number
  currency: string
  /** Less than the amount where only a part was captured. */
  captured?: number | undefined
  status: 'succeeded' | 'failed' | 'processing' | 'requires_capture' | 'requires_payment_method' | 'canceled'
  metadata?: Record<string, string>
}

const chargeStatus = {
  succeeded: 'succeeded',
  requires_capture: 'succeeded',
  processing: 'pending',
  failed: 'failed'
} as const

const isTried = (status: string): status is keyof typeof chargeStatus => status in chargeStatus

/** People pay. */
export function createPayments({ intents, charges, dated }: Books) {
  return {
    pay({ amount, currency, captured, status, metadata = {}, ...owner }: Payment): PaymentIntent {
      const { account = standardAccount, livemode = false } = owner
      const common = { account, livemode, amount, currency, metadata }
      const intentStatus = status === 'failed' ? 'requires_payment_method' : status
      const intent: PaymentIntent = { ...dated('pi'), ...common, status: intentStatus }
      intents.set(intent.id, intent)
      if (!isTried(status)) return intent
      const charge: Charge = {
        ...{ ...dated('ch'), ...common, intent, status: chargeStatus[status] },
        captured: status === 'succeeded' ? (captured ?? amount) : 0,
        refunds: [],
        disputes: []
      }
      intent.charge = charge
      charges.set(charge.id, charge)
      return intent
    },

    capture(charge: Charge, amount: number) {
      charge.captured = amount
      charge.status = 'succeeded'
      charge.intent.status = 'succeeded'
    }
  }
}
