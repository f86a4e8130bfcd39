import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { SchedulingLinks } from '../core/scheduling-links.ts'
import { withProblems } from '../schemas/common.ts'
import { readSchedulingLink, schedulingLinkIn, schedulingLinkOut } from '../schemas/scheduling-links.ts'
import { callerOf } from './caller.ts'

export const schedulingLinkRoutes: FastifyPluginAsyncZod<{ schedulingLinks: SchedulingLinks }> = async (
  app,
  { schedulingLinks }
) => {
  app.post(
    '/scheduling-links',
    {
      config: { scope: 'bookings:write', idempotency: 'accepted', load: 0.9 },
      schema: {
        tags: ['Bookings'],
        summary: "Make a link for one booking on Calendly's page",
        body: schedulingLinkIn,
        response: withProblems({ 201: schedulingLinkOut })
      }
    },
    async (request, reply) => {
      const asked = readSchedulingLink(request.body)
      const { id, bookingUrl } = await schedulingLinks.create(callerOf(request), asked)
      return reply.code(201).send({ id, booking_url: bookingUrl })
    }
  )
}
