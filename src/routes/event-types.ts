import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { EventTypes } from '../core/event-types.ts'
import { withProblems } from '../schemas/common.ts'
import { eventTypeId, eventTypeOut, eventTypesOut, presentEventType } from '../schemas/event-types.ts'
import { callerOf } from './caller.ts'

const config = { scope: 'availability:read', load: 0.8 } as const
const tags = ['Event types']

export const eventTypeRoutes: FastifyPluginAsyncZod<{ eventTypes: EventTypes }> = async (
  app,
  { eventTypes }
) => {
  app.get(
    '/event-types',
    {
      config,
      schema: {
        tags,
        summary: 'What the connected account offers',
        response: withProblems({ 200: eventTypesOut })
      }
    },
    async (request) => ({
      data: (await eventTypes.list(callerOf(request))).map(presentEventType),
      next_cursor: null
    })
  )

  app.get(
    '/event-types/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Read an event type',
        params: eventTypeId,
        response: withProblems({ 200: eventTypeOut })
      }
    },
    async (request) => presentEventType(await eventTypes.get(callerOf(request).tenantId, request.params.id))
  )
}
