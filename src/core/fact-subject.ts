import type { Booking } from './booking.ts'
import type { BookingTables, InviteeLink } from './booking-tables.ts'
import type { EventFact, InviteeFact } from './calendly.ts'
import { isAnswerToStep, isLeftover } from './rescheduling.ts'

/** What is known of an invitee and of its neighbours in a chain of moves. */
export function linksOf(
  tables: BookingTables,
  tenantId: string,
  invitee: InviteeFact
): Promise<InviteeLink[]> {
  const uris = [invitee.uri, invitee.oldInvitee, invitee.newInvitee]
  return tables.invitees.find(
    tenantId,
    uris.filter((uri) => uri !== undefined)
  )
}

/** By invitee and its neighbours in a chain of reschedules; else by our own id, which a booking of ours carries. */
export async function bookingOf(
  tables: BookingTables,
  tenantId: string,
  links: readonly InviteeLink[],
  invitee: InviteeFact,
  event: EventFact
): Promise<Booking | undefined> {
  const link = links.find(({ uri }) => uri === invitee.uri) ?? links[0]
  if (link) {
    const booking = await tables.bookings.lock(tenantId, link.bookingId)
    // What goes on after our cancellation is another booking: a canceled one is never revived.
    const goesOn = booking?.status === 'canceled' && invitee.status === 'active'
    return goesOn ? undefined : booking
  }
  const term = invitee.tracking.utmTerm
  const candidate = term?.startsWith('bkg_') ? await tables.bookings.lock(tenantId, term) : undefined
  if (!candidate) return undefined
  const isIts =
    // Calendly's answer may have named its invitee while we waited for the lock.
    candidate.calendly.invitee === invitee.uri ||
    isOurs(candidate, invitee, event) ||
    isMovedOn(candidate, invitee, event) ||
    isAnswerToStep(candidate, invitee, event) ||
    isLeftover(candidate, invitee, event)
  return isIts ? candidate : undefined
}

/**
 * Whether it is where ours went: moved on Calendly's page, which takes our id along, and told before the one that it was
 * moved from.
 */
export function isMovedOn(booking: Booking, invitee: InviteeFact, event: EventFact): boolean {
  return (
    booking.source === 'api' &&
    booking.status !== 'canceled' &&
    invitee.oldInvitee !== undefined &&
    isSentByUs(booking, invitee, event)
  )
}

/** Anybody can write our id into a link's `utm_term`: only a booking that waits for just this answer takes it. */
export function isOurs(booking: Booking, invitee: InviteeFact, event: EventFact): boolean {
  return (
    booking.source === 'api' &&
    booking.calendly.invitee === undefined &&
    event.startTime === booking.startTime &&
    isSentByUs(booking, invitee, event)
  )
}

function isSentByUs(booking: Booking, invitee: InviteeFact, event: EventFact): boolean {
  return (
    invitee.tracking.utmTerm === booking.id &&
    invitee.email.toLowerCase() === booking.invitee.email.toLowerCase() &&
    event.eventType === booking.eventType
  )
}
