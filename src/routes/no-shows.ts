import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { NoShows } from '../core/no-shows.ts'
import type { System } from '../core/system.ts'
import { bookingId } from '../schemas/booking-requests.ts'
import { bookingOut, presentBooking } from '../schemas/bookings.ts'
import { withProblems } from '../schemas/common.ts'
import { callerOf, executionOf } from './caller.ts'

type Options = { noShows: NoShows; system: Pick<System, 'now'> }

export const noShowRoutes: FastifyPluginAsyncZod<Options> = async (app, { noShows, system }) => {
  const tags = ['Bookings']
  const config = { scope: 'bookings:write', load: 0.9 } as const
  const schema = { tags, params: bookingId, response: withProblems({ 200: bookingOut }) }

  app.post(
    '/bookings/:id/no-show',
    {
      config: { ...config, idempotency: 'accepted' },
      schema: { ...schema, summary: 'Say that the invitee did not appear' }
    },
    async (request) => {
      const booking = await noShows.mark(callerOf(request), request.params.id, executionOf(request))
      return presentBooking(booking, system.now())
    }
  )

  app.delete(
    '/bookings/:id/no-show',
    { config, schema: { ...schema, summary: 'Take back that the invitee did not appear' } },
    async (request) => {
      const booking = await noShows.remove(callerOf(request), request.params.id)
      return presentBooking(booking, system.now())
    }
  )
}
