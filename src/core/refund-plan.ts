import type { Booking, Cancellation } from './booking.ts'
import { isStripes, isSuccessful, stripeReferenceOf } from './booking-payment.ts'
import type { BookingTables } from './booking-tables.ts'

type Tables = Pick<BookingTables, 'timeline' | 'paymentTasks'>

/** Why nothing is refunded of itself, as the timeline says it. */
export type NotDueReason =
  | 'declined'
  | 'paypal'
  | 'other_provider'
  | 'payment_unsuccessful'
  | 'charge_unknown'
  | 'not_captured'
  | 'disputed'
  | 'policy'
  | 'nothing_left'
  | 'refunded_before'
  | 'stripe_not_configured'

/** The moment that counts: when somebody first wanted it, never when we learned of it. */
export function momentOf({ canceledAt, requestedAt }: Cancellation): number {
  return Math.min(canceledAt, requestedAt ?? canceledAt)
}

/** In the transaction that ends a booking as canceled: what is to become of its money is decided once that is committed. */
export async function planRefund(tables: Tables, booking: Booking): Promise<void> {
  const { tenantId, id: bookingId, payment, cancellation, updatedAt } = booking
  // What is free is refunded nowhere and needs no words; what was merged is told of by the other.
  if (!payment || !cancellation || booking.mergedInto !== undefined) return
  const reason = whyNever(booking)
  if (reason !== undefined) return noteNotDue(tables, booking, reason)
  // A no-show that is undecided counts no more.
  await tables.paymentTasks.remove(tenantId, bookingId, 'refund')
  await tables.paymentTasks.add({
    tenantId,
    bookingId,
    kind: 'refund',
    createdAt: updatedAt,
    refund: {
      trigger: 'cancellation',
      at: momentOf(cancellation),
      cancelerType: cancellation.cancelerType,
      wanted: cancellation.refund ?? 'policy',
      reason: cancellation.reason
    }
  })
}

/** In the transaction that marks a no-show, at the moment `at`. */
export async function planNoShowRefund(tables: Tables, booking: Booking, at: number): Promise<void> {
  const { tenantId, id: bookingId, updatedAt: createdAt, status } = booking
  if (status !== 'confirmed' || stripeReferenceOf(booking) === undefined) return
  const refund = { trigger: 'no_show', at, cancelerType: 'invitee', wanted: 'policy' } as const
  await tables.paymentTasks.add({ tenantId, bookingId, kind: 'refund', createdAt, refund })
}

/** In the transaction that takes a no-show back: what is refunded already stays so. */
export async function forgetNoShowRefund(
  tables: Tables,
  { tenantId, id, status }: Pick<Booking, 'tenantId' | 'id' | 'status'>
): Promise<void> {
  // Of one that was canceled since, it is the cancellation that waits.
  if (status === 'confirmed') await tables.paymentTasks.remove(tenantId, id, 'refund')
}

/** What a booking's payment is in Stripe is read soon after it is known of. */
export async function planReading(tables: Tables, booking: Booking): Promise<void> {
  if (stripeReferenceOf(booking) === undefined || booking.payment?.charge) return
  const { tenantId, id: bookingId, updatedAt: createdAt } = booking
  await tables.paymentTasks.add({ tenantId, bookingId, kind: 'read', createdAt })
}

/** At the booking's last change. */
export function noteNotDue(
  { timeline }: Pick<BookingTables, 'timeline'>,
  booking: Pick<Booking, 'tenantId' | 'id' | 'updatedAt'>,
  reason: NotDueReason,
  at: number = booking.updatedAt
): Promise<void> {
  return timeline.add(booking, { at, type: 'refund_not_due', detail: { reason } })
}

/** Known without asking Stripe. */
function whyNever({ payment, cancellation }: Booking): NotDueReason | undefined {
  if (!payment) return undefined
  if (!isSuccessful(payment)) return 'payment_unsuccessful'
  if (cancellation?.refund === 'none') return 'declined'
  if (isStripes(payment)) return undefined
  return payment.provider.toLowerCase() === 'paypal' ? 'paypal' : 'other_provider'
}
