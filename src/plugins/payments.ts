import fp from 'fastify-plugin'
import { type OpenPayments, openPayments, type PaymentsOptions } from '../payments/client.ts'

declare module 'fastify' {
  interface FastifyInstance {
    payments: OpenPayments
  }
}

/** Stripe as `app.payments`; without a key it is there, too, and says that it is of no use. */
export const payments = fp<Omit<PaymentsOptions, 'log'>>(
  async (app, options) => {
    const opened = openPayments({ ...options, log: app.log })
    app.decorate('payments', opened)
    app.addHook('onClose', opened.close)
  },
  { name: 'payments' }
)
