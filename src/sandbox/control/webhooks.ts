import type { FastifyInstance } from 'fastify'
import { accept } from '../accept.ts'
import type { Deliveries, Delivery } from '../deliveries.ts'
import { micros } from '../identifiers.ts'
import { modeSchema } from '../queue.ts'

/** How deliveries misbehave, and what became of each. */
export function webhooks(app: FastifyInstance, { deliveries }: { deliveries: Deliveries }) {
  app.post('/webhooks/mode', async (request) => {
    const mode = accept(modeSchema, request.body)
    deliveries.setMode(mode)
    return mode
  })

  app.post('/webhooks/release', async () => ({ released: deliveries.release() }))

  app.post('/webhooks/disable', async () => ({ disabled: deliveries.disable() }))

  app.get('/deliveries', async () => ({ deliveries: deliveries.list().map(deliveryBody) }))
}

function deliveryBody({ id, event, subscription, state, attempts, dueAt, body }: Delivery) {
  return {
    id,
    event,
    subscription: subscription.uri,
    callback_url: subscription.callbackUrl,
    state,
    attempts: attempts.map(({ at, signature, status, error }) => ({ at, signature, status, error })),
    next_attempt_at: state === 'waiting' ? micros(dueAt) : null,
    body
  }
}
