import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Callers } from '../core/callers.ts'
import {
  callerKeyId,
  callerKeyIn,
  callerKeysOut,
  newCallerKeyOut,
  presentCallerKey
} from '../schemas/caller-keys.ts'
import { noContent, withProblems } from '../schemas/common.ts'
import { callerOf, executionOf } from './caller.ts'

const tags = ['Caller keys']

export const callerKeyRoutes: FastifyPluginAsyncZod<{ callers: Callers }> = async (app, { callers }) => {
  app.post(
    '/caller-keys',
    {
      config: { scope: 'admin', idempotency: 'accepted' },
      schema: {
        tags,
        summary: 'Make a caller key; it is shown once',
        body: callerKeyIn,
        response: withProblems({ 201: newCallerKeyOut })
      }
    },
    async (request, reply) => {
      const created = await callers.create(callerOf(request), request.body, executionOf(request))
      return reply.code(201).send({ ...presentCallerKey(created), key: created.key })
    }
  )

  app.get(
    '/caller-keys',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        summary: 'List caller keys, without the keys',
        response: withProblems({ 200: callerKeysOut })
      }
    },
    async (request) => ({
      data: (await callers.list(callerOf(request))).map(presentCallerKey),
      next_cursor: null
    })
  )

  app.delete(
    '/caller-keys/:id',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        summary: 'Revoke a caller key',
        params: callerKeyId,
        response: withProblems({ 204: noContent })
      }
    },
    async (request, reply) => {
      await callers.revoke(callerOf(request), request.params.id)
      return reply.code(204).send()
    }
  )
}
