import type { Booking } from './booking.ts'
import { revise } from './booking-changes.ts'
import { stripeReferenceOf, withCharge } from './booking-payment.ts'
import type { BookingReads } from './booking-tables.ts'
import type { Charge } from './charge.ts'
import { openCharge, withUnseen } from './charges.ts'
import { connectedTenant } from './connection.ts'
import { AppError } from './errors.ts'
import { inTime } from './in-time.ts'
import type { ChargeFact, Payments } from './payments.ts'
import type { RefundTables } from './refund-tables.ts'
import type { System } from './system.ts'

type Deps = {
  system: Pick<System, 'now' | 'sleep'>
  payments: Pick<Payments, 'isConfigured' | 'findCharge'>
  reads: Pick<BookingReads, 'find'>
}

/** A charge as Stripe had it when it was asked at `lookedAt`. */
export type Reading = { fact: ChargeFact; lookedAt: number }
export type PaidBooking = Reading & { booking: Booking }

const patienceMs = 10_000

/** Reads what a booking was paid with from Stripe, as it is now. */
export function createPaidBookings({ system, payments, reads }: Deps) {
  return {
    /** Throws `booking_not_found`, `not_refundable` and `stripe_unavailable`. */
    async read(tenantId: string, bookingId: string): Promise<PaidBooking> {
      const booking = await reads.find(tenantId, bookingId)
      if (!booking) throw new AppError('booking_not_found')
      refuseMerged(booking)
      const reference = stripeReferenceOf(booking)
      if (reference === undefined) throw unpaid('It was not paid through Stripe.')
      if (!payments.isConfigured || tenantId !== connectedTenant) {
        throw new AppError('stripe_unavailable', 'Stripe is not connected.')
      }
      const lookedAt = system.now()
      const fact = await inTime(system, payments.findCharge(reference), patienceMs)
      if (!fact) throw unpaid('Stripe knows no charge of its payment, in this account and mode.')
      if (!fact.isPaid || fact.captured === 0) throw unpaid('Nothing of its payment was captured.')
      return { booking, fact, lookedAt }
    }
  }
}

export type PaidBookings = ReturnType<typeof createPaidBookings>

/**
 * Both locked. The charge is written down as it was read, and so is what the booking shows of it. Throws
 * `booking_not_found`, `not_refundable` where it was merged meanwhile, and `charge_disputed`.
 */
export async function lockPaid(
  tables: RefundTables,
  { booking: { tenantId, id }, fact, lookedAt }: PaidBooking,
  now: number
): Promise<{ booking: Booking; charge: Charge }> {
  const booking = await tables.bookings.lock(tenantId, id)
  if (!booking) throw new AppError('booking_not_found')
  refuseMerged(booking)
  const { charge } = await openCharge(tables, { tenantId, bookingId: id }, fact, { lookedAt, now })
  if (charge.dispute) throw new AppError('charge_disputed')
  const known = booking.payment?.charge
  if (known?.id === charge.id && known.amount === charge.captured) {
    return { booking, charge: withUnseen(charge) }
  }
  const next = revise(booking, now, withCharge(booking, charge))
  await tables.bookings.update(next)
  return { booking: next, charge: withUnseen(charge) }
}

/** The charge as it would be written down. */
export async function chargeIn(
  tables: RefundTables,
  { booking: { tenantId, id: bookingId }, fact, lookedAt }: PaidBooking
): Promise<Charge> {
  const known = await tables.charges.lock(tenantId, fact.id)
  const counters = { reserved: known?.reserved ?? 0, elsewhere: known?.elsewhere ?? 0 }
  return withUnseen({ ...fact, ...counters, tenantId, bookingId, lookedAt, looks: 0 })
}

function refuseMerged({ mergedInto }: Booking): void {
  if (mergedInto !== undefined) throw unpaid(`It is a part of ${mergedInto}.`)
}

const unpaid = (detail: string) => new AppError('not_refundable', detail)
