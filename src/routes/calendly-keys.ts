import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { CalendlyKeys } from '../core/calendly-keys.ts'
import {
  calendlyKeyIn,
  calendlyKeyName,
  calendlyKeyOut,
  calendlyKeysOut,
  presentCalendlyKey
} from '../schemas/calendly-keys.ts'
import { noContent, withProblems } from '../schemas/common.ts'
import { callerOf, executionOf } from './caller.ts'

const tags = ['Calendly keys']

/** What may be done to a key by name. */
const actions = {
  promote: 'Verify a Calendly key and ask it first; the one before it retires',
  verify: 'Ask Calendly whether it accepts a key; the answer is its `health`',
  retire: 'Use a Calendly key last, for 24 hours, then revoke it'
} as const

type Options = { calendlyKeys: CalendlyKeys }

export const calendlyKeyRoutes: FastifyPluginAsyncZod<Options> = async (app, { calendlyKeys }) => {
  app.get(
    '/calendly/keys',
    {
      config: { scope: 'keys:read' },
      schema: {
        tags,
        summary: 'List Calendly keys in the order in which they are asked',
        response: withProblems({ 200: calendlyKeysOut })
      }
    },
    async (request) => ({
      data: (await calendlyKeys.list(callerOf(request))).map(presentCalendlyKey),
      next_cursor: null
    })
  )

  app.post(
    '/calendly/keys',
    {
      config: { scope: 'keys:write', idempotency: 'accepted' },
      schema: {
        tags,
        summary: 'Add a Calendly key as the last in order, once Calendly has accepted it',
        body: calendlyKeyIn,
        response: withProblems({ 201: calendlyKeyOut })
      }
    },
    async (request, reply) => {
      const added = await calendlyKeys.add(callerOf(request), request.body, executionOf(request))
      return reply.code(201).send(presentCalendlyKey(added))
    }
  )

  for (const [action, summary] of Object.entries(actions) as [keyof typeof actions, string][]) {
    app.post(
      `/calendly/keys/:name/${action}`,
      {
        config: { scope: 'keys:write', idempotency: 'accepted' },
        schema: {
          tags,
          summary,
          params: calendlyKeyName,
          response: withProblems({ 200: calendlyKeyOut })
        }
      },
      async (request) =>
        presentCalendlyKey(await calendlyKeys[action](callerOf(request), request.params.name))
    )
  }

  app.delete(
    '/calendly/keys/:name',
    {
      config: { scope: 'keys:write' },
      schema: {
        tags,
        summary: 'Revoke a Calendly key at once',
        params: calendlyKeyName,
        response: withProblems({ 204: noContent })
      }
    },
    async (request, reply) => {
      await calendlyKeys.revoke(callerOf(request), request.params.name)
      return reply.code(204).send()
    }
  )
}
