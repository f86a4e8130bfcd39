import type { Booking } from './booking.ts'
import { confirmed, revise } from './booking-changes.ts'
import type { BookingTables, InviteeLink } from './booking-tables.ts'
import type { EventFact, InviteeFact } from './calendly.ts'
import { isOnlyNamed, movesAlong, pathOf, placed } from './path.ts'
import { announceMoves, note } from './recording.ts'
import { buffersOf } from './settings.ts'

/** How long the second half of a reschedule may take before it is looked for. */
const secondHalfMs = 60_000

/** A fact and what is known of the one it speaks of. */
export type Heard = {
  tables: BookingTables
  tenantId: string
  invitee: InviteeFact
  event: EventFact
  now: number
  /** Of the invitee and of its neighbours in a chain of moves. */
  links: readonly InviteeLink[]
}

/** The booking goes where the fact says and keeps its id. Its time is still to be claimed. */
export async function moveTo(heard: Heard, before: Booking): Promise<Booking> {
  const { tables, tenantId, invitee, event, now } = heard
  await leave(heard, before, before.calendly.invitee)
  await leave(heard, before, invitee.oldInvitee)
  const path = placed(pathOf(before), invitee, event.startTime)
  const after: Booking = {
    ...confirmed(before, now, invitee, event),
    change: undefined,
    buffers: buffersOf(await tables.settings.get(tenantId, before.eventType)),
    // Whoever did not appear did not appear at another time.
    ...{ noShow: false, noShowUri: undefined, noShowAt: undefined },
    path,
    reschedules: movesAlong(path, before.reschedules, now)
  }
  await tables.bookings.update(after)
  await noteSettled(heard, before, after)
  await announceMoves(tables, before, after)
  return after
}

/** What happened before it came where it is: told late, and told of all the same. */
export async function learnOfPast(heard: Heard, before: Booking): Promise<void> {
  const { tables, invitee, event, now } = heard
  await leave(heard, before, invitee.oldInvitee)
  const path = placed(pathOf(before), invitee, event.startTime)
  const after = revise(before, now, { path, reschedules: movesAlong(path, before.reschedules, now) })
  await tables.bookings.update(after)
  await announceMoves(tables, before, after)
}

/** Whether there is something to learn of an invitee that the booking has left. */
export function isUnheard(booking: Booking, { uri }: InviteeFact): boolean {
  return isOnlyNamed(pathOf(booking), uri)
}

/** The first half of a move: the old time is free, the new one is still to be reported. */
export async function moveAway(heard: Heard, booking: Booking): Promise<void> {
  const { tables, tenantId, invitee, event, now, links } = heard
  const { newInvitee } = invitee
  await tables.invitees.put(tenantId, { uri: invitee.uri, bookingId: booking.id, state: 'moved' })
  if (newInvitee !== undefined && !links.some(({ uri }) => uri === newInvitee))
    await tables.invitees.put(tenantId, { uri: newInvitee, bookingId: booking.id, state: 'expected' })
  // To be moved it must have been there: an outcome that was still open is settled by that.
  const base = booking.status === 'confirmed' ? booking : confirmed(booking, now, invitee, event)
  await noteSettled(heard, booking, base)
  const calendly = { ...base.calendly, invitee: invitee.uri, event: invitee.event }
  await awaitNext(tables, { ...base, calendly, version: booking.version }, { invitee, now })
}

export async function awaitNext(
  tables: BookingTables,
  booking: Booking,
  { invitee, now }: { invitee: Pick<InviteeFact, 'uri' | 'newInvitee' | 'cancellation'>; now: number }
): Promise<void> {
  if (booking.change?.kind === 'cancel') {
    await note(tables, booking, 'cancel_failed', { detail: 'It was rescheduled first.' })
  }
  const after = revise(booking, now, {
    change: {
      kind: 'move',
      state: 'pending',
      requestedAt: invitee.cancellation?.createdAt ?? now,
      newInvitee: invitee.newInvitee
    },
    resolution: undefined
  })
  await tables.bookings.update(after, secondHalfMs)
  await note(tables, after, 'reschedule_started', { calendly_invitee: invitee.newInvitee ?? null })
  await tables.claims.release(booking.tenantId, booking.id)
}

/** A late word of the one that it was moved from must not be a booking of its own. */
export async function leave(
  { tables, tenantId, links }: Heard,
  { id }: Pick<Booking, 'id'>,
  uri: string | undefined
): Promise<void> {
  const link = links.find((one) => one.uri === uri)
  const isOver = link?.state === 'canceled' || link?.state === 'moved'
  if (uri === undefined || isOver || (link && link.bookingId !== id)) return
  await tables.invitees.put(tenantId, { uri, bookingId: id, state: 'moved' })
}

/** Calendly has, or had, what was not known to be there. */
async function noteSettled({ tables, invitee }: Heard, before: Booking, after: Booking): Promise<void> {
  if (before.status === 'confirmed') return
  await note(tables, after, 'confirmed', { calendly_invitee: invitee.uri })
}
