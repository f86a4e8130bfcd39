import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { BookingResolve } from '../core/booking-resolve.ts'
import type { System } from '../core/system.ts'
import { bookingId } from '../schemas/booking-requests.ts'
import { readResolve, resolveIn } from '../schemas/booking-resolution.ts'
import { bookingOut, presentBooking } from '../schemas/bookings.ts'
import { withProblems } from '../schemas/common.ts'
import { callerOf, executionOf } from './caller.ts'

type Options = { bookingResolve: BookingResolve; system: Pick<System, 'now'> }

export const bookingResolutionRoutes: FastifyPluginAsyncZod<Options> = async (
  app,
  { bookingResolve, system }
) => {
  app.post(
    '/bookings/:id/resolve',
    {
      config: { scope: 'admin', idempotency: 'accepted' },
      schema: {
        tags: ['Bookings'],
        summary: 'Decide what became of a booking that needs attention',
        params: bookingId,
        body: resolveIn,
        response: withProblems({ 200: bookingOut })
      }
    },
    async (request) => {
      const booking = await bookingResolve.resolve(
        callerOf(request),
        request.params.id,
        readResolve(request.body),
        executionOf(request)
      )
      return presentBooking(booking, system.now())
    }
  )
}
