import type { FastifyReply } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { EventLog } from '../core/event-log.ts'
import { withProblems } from '../schemas/common.ts'
import { eventId, eventOut, eventPageIn, eventsOut, presentEvents } from '../schemas/events.ts'
import { callerOf } from './caller.ts'

const tags = ['Events']

type Options = { eventLog: EventLog }

/** Events are answered with in the bytes in which they are delivered. */
export const eventRoutes: FastifyPluginAsyncZod<Options> = async (app, { eventLog }) => {
  app.get(
    '/events',
    {
      config: { scope: 'events:read' },
      schema: {
        tags,
        summary: 'Read the log of events, the oldest first',
        querystring: eventPageIn,
        response: withProblems({ 200: eventsOut })
      }
    },
    async (request, reply) => {
      const { type: types, ...page } = request.query
      const { events, nextCursor } = await eventLog.list(callerOf(request), { ...page, types })
      return asWritten(reply, presentEvents(events, nextCursor))
    }
  )

  app.get(
    '/events/:id',
    {
      config: { scope: 'events:read' },
      schema: {
        tags,
        summary: 'Read an event',
        params: eventId,
        response: withProblems({ 200: eventOut })
      }
    },
    async (request, reply) => asWritten(reply, await eventLog.get(callerOf(request), request.params.id))
  )
}

function asWritten(reply: FastifyReply, bytes: Buffer): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(bytes)
}
