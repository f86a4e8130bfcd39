import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { WebhookDeliveries } from '../core/webhook-deliveries.ts'
import { withProblems } from '../schemas/common.ts'
import {
  presentWebhookDelivery,
  presentWebhookDeliveryDetail,
  webhookDeliveriesOut,
  webhookDeliveryDetailOut,
  webhookDeliveryFilterIn,
  webhookDeliveryId,
  webhookDeliveryOut
} from '../schemas/webhook-deliveries.ts'
import { callerOf, executionOf } from './caller.ts'

type Options = {
  webhookDeliveries: WebhookDeliveries
  /** Called when one is to be applied again. */
  onReplayed: () => void
}

const tags = ['Webhooks']

export const webhookDeliveryRoutes: FastifyPluginAsyncZod<Options> = async (
  app,
  { webhookDeliveries, onReplayed }
) => {
  app.get(
    '/webhook-deliveries',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        summary: 'List what Calendly has sent, newest first',
        querystring: webhookDeliveryFilterIn,
        response: withProblems({ 200: webhookDeliveriesOut })
      }
    },
    async (request) => {
      const { deliveries, nextCursor } = await webhookDeliveries.list(callerOf(request), request.query)
      return { data: deliveries.map(presentWebhookDelivery), next_cursor: nextCursor }
    }
  )

  app.get(
    '/webhook-deliveries/:id',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        summary: 'Read one with what it says',
        params: webhookDeliveryId,
        response: withProblems({ 200: webhookDeliveryDetailOut })
      }
    },
    async (request) =>
      presentWebhookDeliveryDetail(await webhookDeliveries.get(callerOf(request), request.params.id))
  )

  app.post(
    '/webhook-deliveries/:id/replay',
    {
      config: { scope: 'admin', idempotency: 'accepted' },
      schema: {
        tags,
        summary: 'Apply one again, also one that was set aside',
        params: webhookDeliveryId,
        response: withProblems({ 202: webhookDeliveryOut })
      }
    },
    async (request, reply) => {
      const { id } = request.params
      const replayed = await webhookDeliveries.replay(callerOf(request), id, executionOf(request))
      onReplayed()
      return reply.code(202).send(presentWebhookDelivery(replayed))
    }
  )
}
