import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { EventTypeSettingsService } from '../core/event-type-settings.ts'
import { withProblems } from '../schemas/common.ts'
import {
  eventTypeId,
  eventTypeOut,
  eventTypesOut,
  presentEventType,
  presentSettings,
  readSettings,
  settingsIn,
  settingsOut
} from '../schemas/event-types.ts'
import { callerOf } from './caller.ts'

const config = { scope: 'availability:read', load: 0.8 } as const
const tags = ['Event types']

type Options = { eventTypeSettings: Pick<EventTypeSettingsService, 'list' | 'get' | 'put'> }

export const eventTypeRoutes: FastifyPluginAsyncZod<Options> = async (
  app,
  { eventTypeSettings: eventTypes }
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
    async (request) => presentEventType(await eventTypes.get(callerOf(request), request.params.id))
  )

  app.put(
    '/event-types/:id/settings',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        summary: 'Set buffers, minimum notice and daily maximum, all at once',
        params: eventTypeId,
        body: settingsIn,
        response: withProblems({ 200: settingsOut })
      }
    },
    async (request) =>
      presentSettings(await eventTypes.put(callerOf(request), request.params.id, readSettings(request.body)))
  )
}
