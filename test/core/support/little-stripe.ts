import { AppError } from '../../../src/core/errors.ts'
import type { ChargeFact, StripeRefundFact } from '../../../src/core/payments.ts'

/** A Stripe that has charges and nothing else; `state` says whether it can be asked. */
export function littleStripe() {
  const charges = new Map<string, ChargeFact>()
  const state = { isConfigured: true, isAway: false }
  const asked: string[] = []
  const refunds: StripeRefundFact[] = []

  return {
    state,
    /** References, in order. */
    asked,
    /** Listed where something of a charge is `refunded`. */
    refunds,
    charge(id: string, changes: Partial<ChargeFact> = {}): ChargeFact {
      const charge: ChargeFact = {
        ...{ id, currency: 'usd', captured: 5_000, refunded: 0, isPaid: true, livemode: false },
        ...changes
      }
      charges.set(id, charge)
      return charge
    },
    payments: {
      get isConfigured() {
        return state.isConfigured
      },
      listRefunds: async (charge: string) => refunds.filter((refund) => refund.charge === charge),
      async findCharge(reference: string) {
        asked.push(reference)
        if (state.isAway) throw new AppError('stripe_unavailable')
        return [...charges.values()].find(
          ({ id, paymentIntent }) => id === reference || paymentIntent === reference
        )
      }
    }
  }
}
