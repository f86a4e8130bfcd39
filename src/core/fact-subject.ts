import type { Booking } from './booking.ts'
import type { BookingTables, InviteeLink } from './booking-tables.ts'
import type { EventFact, InviteeFact } from './calendly.ts'
import { mergeChain } from './chain-merge.ts'
import { pathOf } from './path.ts'
import { lockBooking } from './recording.ts'
import { isAnswerToStep, isLeftover } from './rescheduling.ts'

export type Subject = {
  /** Of the invitee and of its neighbours in a chain of moves. */
  links: readonly InviteeLink[]
  own: InviteeLink | undefined
  booking: Booking | undefined
}

/**
 * Whom a fact speaks of: by invitee and its neighbours in a chain of moves, else by our own id, which a booking of ours
 * carries. Locked; two bookings that it shows to be one become one.
 */
export async function subjectOf(
  tables: BookingTables,
  tenantId: string,
  fact: { invitee: InviteeFact; event: EventFact; now: number }
): Promise<Subject> {
  const { invitee } = fact
  const known = await linksOf(tables, tenantId, invitee)
  const locked = new Map<string, Booking>()
  if (known.length === 0) await lockByOurId(tables, tenantId, fact, locked)
  const [ours] = locked.values()
  // Another worker may have applied a neighbour while we waited for a lock.
  const links = await lockLinked(tables, tenantId, invitee, locked)
  if (links.length === 0) return { links, own: undefined, booking: ours }
  const { booking, isMerged } = await inChain(tables, fact, links, locked)
  const now = isMerged ? await linksOf(tables, tenantId, invitee) : links
  return { links: now, own: now.find(({ uri }) => uri === invitee.uri), booking }
}

function linksOf(tables: BookingTables, tenantId: string, invitee: InviteeFact): Promise<InviteeLink[]> {
  const uris = [invitee.uri, invitee.oldInvitee, invitee.newInvitee]
  return tables.invitees.find(
    tenantId,
    uris.filter((uri) => uri !== undefined)
  )
}

/** In the order of their ids, so that two workers do not wait for each other. */
async function lockLinked(
  tables: BookingTables,
  tenantId: string,
  invitee: InviteeFact,
  locked: Map<string, Booking>
): Promise<InviteeLink[]> {
  for (;;) {
    const links = await linksOf(tables, tenantId, invitee)
    const ids = new Set(links.map(({ bookingId }) => bookingId).filter((id) => !locked.has(id)))
    if (ids.size === 0) return links
    for (const id of [...ids].toSorted()) locked.set(id, await lockBooking(tables, { tenantId, id }))
  }
}

async function inChain(
  tables: BookingTables,
  { invitee, now }: { invitee: InviteeFact; now: number },
  links: readonly InviteeLink[],
  locked: Map<string, Booking>
): Promise<{ booking: Booking | undefined; isMerged: boolean }> {
  const linkOf = (named: string | undefined) => links.find(({ uri }) => uri === named)
  const of = (link: InviteeLink | undefined) => link && locked.get(link.bookingId)
  let booking = of(linkOf(invitee.uri))
  let isMerged = false
  const join = async (earlier: Booking, later: Booking, joint: string) => {
    if (earlier.id === later.id) return later
    const merged = await mergeChain(tables, { earlier, later, joint }, now)
    if (!merged) return booking
    isMerged = true
    for (const { id } of [earlier, later]) locked.set(id, merged)
    return merged
  }
  const old = linkOf(invitee.oldInvitee)
  const earlier = of(old)
  // What goes on after a cancellation is another booking: a canceled one is never revived.
  if (old && earlier && old.state !== 'canceled') {
    booking = booking ? await join(earlier, booking, old.uri) : earlier
  }
  const later = of(linkOf(invitee.newInvitee))
  if (later) booking = booking ? await join(booking, later, invitee.uri) : later
  return { booking, isMerged }
}

async function lockByOurId(
  tables: BookingTables,
  tenantId: string,
  { invitee, event }: { invitee: InviteeFact; event: EventFact },
  locked: Map<string, Booking>
): Promise<void> {
  const term = invitee.tracking.utmTerm
  const candidate = term?.startsWith('bkg_') ? await tables.bookings.lock(tenantId, term) : undefined
  if (!candidate) return
  const isIts =
    // Calendly's answer may have named its invitee while we waited for the lock.
    candidate.calendly.invitee === invitee.uri ||
    isOurs(candidate, invitee, event) ||
    isMovedOn(candidate, invitee, event) ||
    isAnswerToStep(candidate, invitee, event) ||
    isLeftover(candidate, invitee, event)
  if (isIts) locked.set(candidate.id, candidate)
}

/**
 * Whether it is where ours went: moved on Calendly's page, which takes our id along, and told before the one that it was
 * moved from.
 */
function isMovedOn(booking: Booking, invitee: InviteeFact, event: EventFact): boolean {
  return (
    booking.source === 'api' &&
    // What goes on after a cancellation is another booking.
    invitee.createdAt < (booking.cancellation?.canceledAt ?? Number.POSITIVE_INFINITY) &&
    invitee.oldInvitee !== undefined &&
    isSentByUs(booking, invitee, event)
  )
}

/** Anybody can write our id into a link's `utm_term`: only a booking that waits for just this answer takes it. */
export function isOurs(booking: Booking, invitee: InviteeFact, event: EventFact): boolean {
  const [first] = pathOf(booking)
  return (
    booking.source === 'api' &&
    first?.invitee === undefined &&
    event.startTime === first?.startTime &&
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
