import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { type Booking, isUnresolved } from '../core/booking.ts'
import type { Bookings } from '../core/bookings.ts'
import type { System } from '../core/system.ts'
import {
  bookingFilterIn,
  bookingId,
  bookingIn,
  readBooking,
  readFilter
} from '../schemas/booking-requests.ts'
import { bookingOut, bookingsOut, presentBooking, presentTimeline, timelineOut } from '../schemas/bookings.ts'
import { withProblems } from '../schemas/common.ts'
import { callerOf, executionOf } from './caller.ts'
import { unresolved } from './unresolved.ts'

type Options = {
  bookings: Bookings
  system: Pick<System, 'now'>
}

export const bookingRoutes: FastifyPluginAsyncZod<Options> = async (app, { bookings, system }) => {
  const present = (booking: Booking) => presentBooking(booking, system.now())
  const tags = ['Bookings']

  app.post(
    '/bookings',
    {
      config: { scope: 'bookings:write', idempotency: 'required', load: 0.9 },
      schema: {
        tags,
        summary: 'Book a time',
        body: bookingIn,
        response: withProblems({ 201: bookingOut, 202: bookingOut })
      }
    },
    async (request, reply) => {
      const booking = await bookings.create(
        callerOf(request),
        readBooking(request.body),
        executionOf(request)
      )
      if (isUnresolved(booking)) return unresolved(reply, booking).code(202).send(present(booking))
      return reply.code(201).header('location', `/api/v1/bookings/${booking.id}`).send(present(booking))
    }
  )

  app.get(
    '/bookings',
    {
      config: { scope: 'bookings:read', load: 0.9 },
      schema: {
        tags,
        summary: 'List bookings, newest first',
        querystring: bookingFilterIn,
        response: withProblems({ 200: bookingsOut })
      }
    },
    async (request) => {
      const page = await bookings.list(callerOf(request), readFilter(request.query))
      return { data: page.bookings.map(present), next_cursor: page.nextCursor }
    }
  )

  app.get(
    '/bookings/:id',
    {
      config: { scope: 'bookings:read', load: 0.9 },
      schema: {
        tags,
        summary: 'Read a booking',
        params: bookingId,
        response: withProblems({ 200: bookingOut })
      }
    },
    async (request) => present(await bookings.get(callerOf(request), request.params.id))
  )

  app.get(
    '/bookings/:id/timeline',
    {
      config: { scope: 'bookings:read', load: 0.9 },
      schema: {
        tags,
        summary: 'Everything that happened to a booking, in order',
        params: bookingId,
        response: withProblems({ 200: timelineOut })
      }
    },
    async (request) => presentTimeline(await bookings.timeline(callerOf(request), request.params.id))
  )
}
