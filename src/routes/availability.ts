import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { AvailabilityService } from '../core/availability.ts'
import {
  availabilityIn,
  availabilityOut,
  presentAvailability,
  readAvailability
} from '../schemas/availability.ts'
import { withProblems } from '../schemas/common.ts'
import { callerOf } from './caller.ts'

export const availabilityRoutes: FastifyPluginAsyncZod<{ availability: AvailabilityService }> = async (
  app,
  { availability }
) => {
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
    async (request) => {
      const found = await availability.find(callerOf(request), readAvailability(request.query))
      return presentAvailability(found, request.query.explain)
    }
  )
}
