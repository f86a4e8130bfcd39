import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { type Booking, isUnresolved } from '../core/booking.ts'
import type { PaidCancellations } from '../core/paid-cancellations.ts'
import type { Reschedules } from '../core/reschedules.ts'
import type { System } from '../core/system.ts'
import {
  canceledOut,
  cancelIn,
  readCancel,
  readReschedule,
  rescheduleIn
} from '../schemas/booking-changes.ts'
import { bookingId } from '../schemas/booking-requests.ts'
import { bookingOut, presentBooking } from '../schemas/bookings.ts'
import { withProblems } from '../schemas/common.ts'
import { presentRefund } from '../schemas/refunds.ts'
import { callerOf, executionOf } from './caller.ts'
import { unresolved } from './unresolved.ts'

type Options = {
  cancellations: PaidCancellations
  reschedules: Reschedules
  system: Pick<System, 'now'>
}

export const bookingChangeRoutes: FastifyPluginAsyncZod<Options> = async (
  app,
  { cancellations, reschedules, system }
) => {
  const present = (booking: Booking) => presentBooking(booking, system.now())
  const tags = ['Bookings']

  app.post(
    '/bookings/:id/cancel',
    {
      config: { scope: 'bookings:write', idempotency: 'required', load: 0.9 },
      schema: {
        tags,
        summary: 'Cancel a booking',
        params: bookingId,
        body: cancelIn,
        response: withProblems({ 200: canceledOut, 202: canceledOut })
      }
    },
    async (request, reply) => {
      const { id } = request.params
      const { booking, refund, isSettled } = await cancellations.cancel(
        callerOf(request),
        id,
        readCancel(request.body),
        executionOf(request)
      )
      const answer = { booking: present(booking), refund: refund ? presentRefund(refund) : null }
      if (!isSettled) return unresolved(reply, booking).code(202).send(answer)
      return reply.code(200).send(answer)
    }
  )

  app.post(
    '/bookings/:id/reschedule',
    {
      config: { scope: 'bookings:write', idempotency: 'required', load: 0.9 },
      schema: {
        tags,
        summary: 'Move a booking to another time',
        params: bookingId,
        body: rescheduleIn,
        response: withProblems({ 200: bookingOut, 202: bookingOut })
      }
    },
    async (request, reply) => {
      const booking = await reschedules.reschedule(
        callerOf(request),
        request.params.id,
        readReschedule(request.body),
        executionOf(request)
      )
      const isUnderWay = isUnresolved(booking) || booking.change !== undefined
      if (isUnderWay) return unresolved(reply, booking).code(202).send(present(booking))
      return reply.code(200).send(present(booking))
    }
  )
}
