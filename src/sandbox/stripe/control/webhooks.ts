import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept } from '../../accept.ts'
import { micros } from '../../identifiers.ts'
import { modeSchema } from '../../queue.ts'
import { standardAccount } from '../records.ts'
import type { Stripe } from '../stripe.ts'
import type { Delivery } from '../webhooks.ts'

const endpointSchema = z.strictObject({
  url: z.url(),
  secret: z.string().min(8).default('whsec_sandbox'),
  events: z.array(z.string()).min(1).default(['*']),
  account: z.string().startsWith('acct_').default(standardAccount),
  livemode: z.boolean().default(false)
})

/** Where events go, how deliveries misbehave, and what became of each. */
export function webhooks(app: FastifyInstance, { webhooks: sent }: Stripe) {
  app.get('/webhooks', async () => ({ webhooks: sent.endpoints() }))

  app.post('/webhooks', async (request, reply) => {
    reply.code(201)
    return sent.addEndpoint(accept(endpointSchema, request.body))
  })

  app.delete('/webhooks', async (_request, reply) => {
    sent.removeEndpoints()
    return reply.code(204).send()
  })

  app.post('/webhooks/mode', async (request) => {
    const mode = accept(modeSchema, request.body)
    sent.setMode(mode)
    return mode
  })

  app.post('/webhooks/release', async () => ({ released: sent.release() }))

  app.get('/deliveries', async () => ({ deliveries: sent.list().map(deliveryBody) }))
}

function deliveryBody({ event, type, endpoint, state, attempts, dueAt, body }: Delivery) {
  return {
    ...{ event, type, webhook: endpoint.id, url: endpoint.url, state },
    attempts: attempts.map(({ at, signature, status, error }) => ({ at, signature, status, error })),
    next_attempt_at: state === 'waiting' ? micros(dueAt) : null,
    body
  }
}
