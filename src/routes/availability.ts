import type { FastifyReply } from 'fastify'
import { type FastifyPluginAsyncZod, validatorCompiler } from 'fastify-type-provider-zod'
import type { AvailabilityService } from '../core/availability.ts'
import { createMemo } from '../core/memo.ts'
import {
  availabilityIn,
  availabilityOut,
  createAvailabilityWriter,
  readAvailability
} from '../schemas/availability.ts'
import { withProblems } from '../schemas/common.ts'
import { callerOf } from './caller.ts'

const longestQueriesKept = 1_000_000

type Options = { availability: Pick<AvailabilityService, 'find'> }

export const availabilityRoutes: FastifyPluginAsyncZod<Options> = async (app, { availability }) => {
  const write = createAvailabilityWriter()
  app.setValidatorCompiler(rememberAccepted)

  app.get(
    '/availability',
    {
      config: { scope: 'availability:read', load: 0.8 },
      schema: {
        tags: ['Availability'],
        summary: 'Times that can be booked now',
        querystring: availabilityIn,
        response: withProblems({ 200: availabilityOut })
      }
    },
    async (request, reply) => {
      const found = await availability.find(callerOf(request), readAvailability(request.query))
      return sendJson(reply, write(found, request.query.explain))
    }
  )
}

/** The same few queries are asked again and again: one that was accepted is accepted without another look. */
const rememberAccepted: typeof validatorCompiler = (route) => {
  const validate = validatorCompiler(route)
  const accepted = createMemo<ReturnType<typeof validate>>(longestQueriesKept)
  return (query) => {
    const text = JSON.stringify(query)
    const known = accepted.get(text)
    if (known !== undefined) return known
    const result = validate(query)
    if (typeof result === 'object' && 'value' in result) accepted.set(text, result, text.length)
    return result
  }
}

/** As it is, past the serializer of the route's schema. */
function sendJson(reply: FastifyReply, bytes: Buffer): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(bytes)
}
