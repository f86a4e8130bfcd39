import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Holds } from '../core/holds.ts'
import { noContent, withProblems } from '../schemas/common.ts'
import { holdId, holdIn, holdOut, presentHold, readHold } from '../schemas/holds.ts'
import { callerOf, executionOf } from './caller.ts'

type Options = { holds: Holds }

export const holdRoutes: FastifyPluginAsyncZod<Options> = async (app, { holds }) => {
  const tags = ['Holds']

  app.post(
    '/holds',
    {
      config: { scope: 'bookings:write', idempotency: 'accepted', load: 0.9 },
      schema: {
        tags,
        summary: 'Keep a time for yourself for a while',
        body: holdIn,
        response: withProblems({ 201: holdOut })
      }
    },
    async (request, reply) => {
      const hold = await holds.create(callerOf(request), readHold(request.body), executionOf(request))
      return reply.code(201).header('location', `/api/v1/holds/${hold.id}`).send(presentHold(hold))
    }
  )

  app.get(
    '/holds/:id',
    {
      config: { scope: 'bookings:read', load: 0.9 },
      schema: {
        tags,
        summary: 'Read a hold of yours',
        params: holdId,
        response: withProblems({ 200: holdOut })
      }
    },
    async (request) => presentHold(await holds.get(callerOf(request), request.params.id))
  )

  app.delete(
    '/holds/:id',
    {
      config: { scope: 'bookings:write', load: 0.9 },
      schema: {
        tags,
        summary: 'Give the time back',
        params: holdId,
        response: withProblems({ 204: noContent })
      }
    },
    async (request, reply) => {
      await holds.release(callerOf(request), request.params.id)
      return reply.code(204).send()
    }
  )
}
