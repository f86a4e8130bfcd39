import type { FastifyInstance } from 'fastify'
import type { Stripe } from '../stripe.ts'
import { access } from './access.ts'
import { money } from './money.ts'
import { webhooks } from './webhooks.ts'

/** What Stripe's API does not have: people, banks, the dashboard and what goes wrong. */
export function stripeControl(app: FastifyInstance, stripe: Stripe) {
  money(app, stripe)
  webhooks(app, stripe)
  access(app, stripe)

  app.post('/reset', async (_request, reply) => {
    stripe.reset()
    return reply.code(204).send()
  })
}
