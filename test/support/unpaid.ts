import { createPaymentCheck } from '../../src/core/payment-check.ts'
import { realSystem } from '../../src/core/system.ts'

/** What is asked of payments where no Stripe is connected. */
export const withoutStripe = createPaymentCheck({
  system: realSystem,
  payments: {
    isConfigured: false,
    findCharge: async () => undefined,
    findIntentStatus: async () => undefined
  },
  reads: { findCharge: async () => undefined }
})
