import { type Booking, sessionOf } from './booking.ts'
import type { BookingTables } from './booking-tables.ts'

/** Whether anybody else of ours has a seat in its session, or is about to have one: Calendly may not know of it yet. */
export async function hasNeighbours(
  { claims }: BookingTables,
  booking: Pick<Booking, 'tenantId' | 'id' | 'isGroup' | 'eventType' | 'startTime'>
): Promise<boolean> {
  const owners = await claims.ownersOf(booking.tenantId, sessionOf(booking))
  return owners.some(({ ownerId, isHold }) => ownerId !== booking.id && !isHold)
}
