import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { EndpointDeliveries } from '../core/event-endpoint-deliveries.ts'
import { withProblems } from '../schemas/common.ts'
import {
  deliveryFilterIn,
  eventDeliveriesOut,
  eventEndpointId,
  presentEventDelivery,
  presentTest,
  replayIn,
  replayOut,
  testOut
} from '../schemas/event-endpoints.ts'
import { callerOf } from './caller.ts'

const tags = ['Event endpoints']

type Options = {
  endpointDeliveries: EndpointDeliveries
  /** Called when there is something to send. */
  onQueued: () => void
}

export const endpointDeliveryRoutes: FastifyPluginAsyncZod<Options> = async (app, options) => {
  const { endpointDeliveries, onQueued } = options

  app.get(
    '/event-endpoints/:id/deliveries',
    {
      config: { scope: 'events:read' },
      schema: {
        tags,
        summary: 'List what was and is to be sent to an event endpoint, the newest event first',
        params: eventEndpointId,
        querystring: deliveryFilterIn,
        response: withProblems({ 200: eventDeliveriesOut })
      }
    },
    async (request) => {
      const { id } = request.params
      const { deliveries, nextCursor } = await endpointDeliveries.list(callerOf(request), id, request.query)
      return { data: deliveries.map(presentEventDelivery), next_cursor: nextCursor }
    }
  )

  app.post(
    '/event-endpoints/:id/replay',
    {
      config: { scope: 'events:write', idempotency: 'accepted' },
      schema: {
        tags,
        summary: 'Send again what happened from a time on, or what was given up',
        params: eventEndpointId,
        body: replayIn,
        response: withProblems({ 202: replayOut })
      }
    },
    async (request, reply) => {
      const { id } = request.params
      const queued = await endpointDeliveries.replay(callerOf(request), id, request.body)
      onQueued()
      return reply.code(202).send({ queued })
    }
  )

  app.post(
    '/event-endpoints/:id/test',
    {
      config: { scope: 'events:write', idempotency: 'accepted' },
      schema: {
        tags,
        summary: 'Send a test event and tell what came of it',
        params: eventEndpointId,
        response: withProblems({ 200: testOut })
      }
    },
    async (request) => presentTest(await endpointDeliveries.test(callerOf(request), request.params.id))
  )
}
