import { type Booking, sessionOf } from './booking.ts'
import { canceled, revise } from './booking-changes.ts'
import type { BookingTables } from './booking-tables.ts'
import type { CancellationFact } from './calendly.ts'

/** The booking as it is now, locked until the transaction ends. */
export async function lockBooking(
  { bookings }: BookingTables,
  { tenantId, id }: Pick<Booking, 'tenantId' | 'id'>
): Promise<Booking> {
  const booking = await bookings.lock(tenantId, id)
  if (!booking) throw new Error(`${id} has vanished`)
  return booking
}

/** An entry of the booking's timeline, at its last change. */
export async function note(
  { timeline }: BookingTables,
  booking: Booking,
  type: string,
  detail: Readonly<Record<string, unknown>> = {}
): Promise<void> {
  await timeline.add(booking, { at: booking.updatedAt, type, detail })
}

/** Rejected: the time is given back. */
export async function recordRejected(
  tables: BookingTables,
  booking: Booking,
  now: number,
  rejection: NonNullable<Booking['rejection']>
): Promise<Booking> {
  const next = revise(booking, now, { status: 'rejected', rejection, resolution: undefined })
  await tables.bookings.update(next)
  await note(tables, next, 'rejected', { code: rejection.code, detail: rejection.detail })
  await tables.claims.release(next.tenantId, next.id)
  return next
}

/** Canceled: the time is given back, and a late word of its invitee revives nothing. */
export async function recordCanceled(
  tables: BookingTables,
  booking: Booking,
  now: number,
  fact: CancellationFact | undefined
): Promise<Booking> {
  const next = canceled(booking, now, fact)
  await tables.bookings.update(next)
  await note(tables, next, 'canceled', { canceler_type: next.cancellation?.cancelerType ?? null })
  if (next.calendly.invitee !== undefined) {
    const link = { uri: next.calendly.invitee, bookingId: next.id, state: 'canceled' as const }
    await tables.invitees.put(next.tenantId, link)
  }
  await tables.claims.release(next.tenantId, next.id)
  return next
}

/** Moves a booking's claim to the time and hosts it turned out to have. Nobody is refused: Calendly's word is a fact. */
export async function reclaim(tables: BookingTables, before: Booking, after: Booking): Promise<void> {
  const hosts = after.hosts.map(({ user }) => user)
  const isSame =
    before.startTime === after.startTime &&
    before.endTime === after.endTime &&
    before.hosts.length === hosts.length &&
    before.hosts.every(({ user }) => hosts.includes(user))
  if (isSame) return
  await tables.claims.release(after.tenantId, after.id)
  await claimFact(tables, after)
}

/** Claims what is free of a fact's range and notes in the timeline when something was not. */
export async function claimFact(tables: BookingTables, booking: Booking): Promise<void> {
  const isWhole = await tables.claims.takeFree({
    tenantId: booking.tenantId,
    ownerId: booking.id,
    session: sessionOf(booking),
    hosts: booking.hosts.map(({ user }) => user),
    startTime: booking.startTime,
    endTime: booking.endTime
  })
  if (!isWhole) await note(tables, booking, 'overlap_found')
}
