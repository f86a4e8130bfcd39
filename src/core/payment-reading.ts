import { revise } from './booking-changes.ts'
import { referenceOf, withCharge } from './booking-payment.ts'
import { openCharge } from './charges.ts'
import type { PaymentTask } from './payment-task.ts'
import type { ChargeFact } from './payments.ts'
import type { RefundTables } from './refund-tables.ts'

type Of = Pick<PaymentTask, 'tenantId' | 'bookingId'>

/** A booking's charge was read for the first time: its integer and its currency are the booking's from now on. */
export async function recordReading(
  tables: RefundTables,
  { tenantId, bookingId }: Of,
  fact: ChargeFact,
  at: { lookedAt: number; now: number }
): Promise<void> {
  const booking = await tables.bookings.lock(tenantId, bookingId)
  const isDone = (await tables.paymentTasks.lock(tenantId, bookingId, 'read')) === undefined
  if (!booking?.payment || isDone) return
  const { charge } = await openCharge(tables, { tenantId, bookingId }, fact, at)
  const next = revise(booking, at.now, withCharge(booking, charge))
  await tables.bookings.update(next)
  const { id, captured: amount, currency } = charge
  const detail = { charge: id, amount, currency }
  await tables.timeline.add(next, { at: at.now, type: 'payment_read', detail })
  await tables.paymentTasks.remove(tenantId, bookingId, 'read')
}

/** Stripe knows no charge of it, of this account and mode. */
export async function recordUnreadable(
  tables: RefundTables,
  { tenantId, bookingId }: Of,
  now: number
): Promise<void> {
  const booking = await tables.bookings.lock(tenantId, bookingId)
  const isDone = (await tables.paymentTasks.lock(tenantId, bookingId, 'read')) === undefined
  if (!booking?.payment || isDone) return
  const detail = { reference: referenceOf(booking.payment) }
  await tables.timeline.add(booking, { at: now, type: 'payment_not_found', detail })
  await tables.paymentTasks.remove(tenantId, bookingId, 'read')
}
