import type { Booking } from './booking.ts'
import { revise } from './booking-changes.ts'
import { isSuccessful, joinedPayment, referenceOf, stripeReferenceOf } from './booking-payment.ts'
import type { BookingTables } from './booking-tables.ts'
import type { InviteeFact } from './calendly.ts'
import { planReading, planRefund } from './refund-plan.ts'

/**
 * What any invitee of a booking's chain tells of its payment, whenever it is heard: the booking with it, the same one when
 * that was known. A canceled one's money is then still to be decided on.
 */
export async function learnPayment(
  tables: BookingTables,
  booking: Booking,
  { payment: told }: Pick<InviteeFact, 'payment'>,
  now: number
): Promise<Booking> {
  const payment = joinedPayment(booking.payment, told)
  if (!payment || payment === booking.payment || booking.mergedInto !== undefined) return booking
  const next = revise(booking, now, { payment })
  await tables.bookings.update(next)
  await tables.timeline.add(next, {
    at: now,
    type: 'payment_told',
    detail: {
      provider: payment.provider,
      reference: referenceOf(payment),
      successful: isSuccessful(payment)
    }
  })
  await planReading(tables, next)
  const isNewlyPaid = stripeReferenceOf(booking) === undefined && stripeReferenceOf(next) !== undefined
  if (next.status === 'canceled' && (isNewlyPaid || !booking.payment)) await planRefund(tables, next)
  return next
}
