import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { EventEndpoints } from '../core/event-endpoints.ts'
import { noContent, withProblems } from '../schemas/common.ts'
import {
  endpointPageIn,
  eventEndpointChangeIn,
  eventEndpointId,
  eventEndpointIn,
  eventEndpointOut,
  eventEndpointsOut,
  newEventEndpointOut,
  presentEventEndpoint
} from '../schemas/event-endpoints.ts'
import { callerOf, executionOf } from './caller.ts'

const tags = ['Event endpoints']

type Options = { eventEndpoints: EventEndpoints }

export const eventEndpointRoutes: FastifyPluginAsyncZod<Options> = async (app, { eventEndpoints }) => {
  app.post(
    '/event-endpoints',
    {
      config: { scope: 'events:write', idempotency: 'accepted' },
      schema: {
        tags,
        summary: 'Have events sent to a URL; the secret that signs them is shown once',
        body: eventEndpointIn,
        response: withProblems({ 201: newEventEndpointOut })
      }
    },
    async (request, reply) => {
      const created = await eventEndpoints.create(callerOf(request), request.body, executionOf(request))
      return reply
        .code(201)
        .header('location', `/api/v1/event-endpoints/${created.id}`)
        .send({ ...presentEventEndpoint(created), secret: created.secret })
    }
  )

  app.get(
    '/event-endpoints',
    {
      config: { scope: 'events:read' },
      schema: {
        tags,
        summary: 'List event endpoints, newest first',
        querystring: endpointPageIn,
        response: withProblems({ 200: eventEndpointsOut })
      }
    },
    async (request) => {
      const { endpoints, nextCursor } = await eventEndpoints.list(callerOf(request), request.query)
      return { data: endpoints.map(presentEventEndpoint), next_cursor: nextCursor }
    }
  )

  app.get(
    '/event-endpoints/:id',
    {
      config: { scope: 'events:read' },
      schema: {
        tags,
        summary: 'Read an event endpoint',
        params: eventEndpointId,
        response: withProblems({ 200: eventEndpointOut })
      }
    },
    async (request) => presentEventEndpoint(await eventEndpoints.get(callerOf(request), request.params.id))
  )

  app.patch(
    '/event-endpoints/:id',
    {
      config: { scope: 'events:write' },
      schema: {
        tags,
        summary: 'Change an event endpoint; what is not given stays',
        params: eventEndpointId,
        body: eventEndpointChangeIn,
        response: withProblems({ 200: eventEndpointOut })
      }
    },
    async (request) =>
      presentEventEndpoint(await eventEndpoints.change(callerOf(request), request.params.id, request.body))
  )

  app.delete(
    '/event-endpoints/:id',
    {
      config: { scope: 'events:write' },
      schema: {
        tags,
        summary: 'Remove an event endpoint and all that was still to be sent to it',
        params: eventEndpointId,
        response: withProblems({ 204: noContent })
      }
    },
    async (request, reply) => {
      await eventEndpoints.remove(callerOf(request), request.params.id)
      return reply.code(204).send()
    }
  )

  app.post(
    '/event-endpoints/:id/rotate-secret',
    {
      config: { scope: 'events:write', idempotency: 'accepted' },
      schema: {
        tags,
        summary: 'Give an event endpoint a new secret; the old one signs for 24 hours more',
        params: eventEndpointId,
        response: withProblems({ 200: newEventEndpointOut })
      }
    },
    async (request) => {
      const { id } = request.params
      const rotated = await eventEndpoints.rotateSecret(callerOf(request), id, executionOf(request))
      return { ...presentEventEndpoint(rotated), secret: rotated.secret }
    }
  )
}
