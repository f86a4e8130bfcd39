import type { FastifyReply } from 'fastify'
import type { Booking } from '../core/booking.ts'

/** Where to ask for the outcome, and when. */
export function unresolved<R extends FastifyReply>(reply: R, { id }: Pick<Booking, 'id'>): R {
  reply.header('location', `/api/v1/bookings/${id}`).header('retry-after', '1')
  return reply
}
