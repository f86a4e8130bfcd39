import type { Booking, Overruled, Rejection, Reschedule } from './booking.ts'
import { partsOf, revise } from './booking-changes.ts'
import type { BookingTables, InviteeLink } from './booking-tables.ts'
import type { EventFact } from './calendly.ts'
import { giveHoldBack } from './hold-use.ts'
import { formatInstant } from './instants.ts'
import { wentTo } from './path.ts'
import { claimFact, note, reclaim, recordCanceled } from './recording.ts'
import { isPosting, type Rescheduling, searchOf } from './rescheduling.ts'

/** How soon the resolver looks for the second half of a move on Calendly's page. */
const secondHalfMs = 1_000

/**
 * Whoever writes down that a reschedule of ours goes on: the one who is at it, or a fact of Calendly's that comes
 * first. `isActor`: the writer goes on with the next step itself, at once.
 */
export type Writer = { tables: BookingTables; now: number; isActor: boolean }

/** The booking goes to its new time and keeps its id. */
export async function recordMoved(writer: Writer, booking: Rescheduling): Promise<Booking> {
  const { tables, now } = writer
  const { change, startTime, calendly: old } = booking
  const { to, successor = {}, overruled } = change
  await linkInvitee(writer, booking, old, 'moved')
  const isMovedOn = overruled?.of === 'new' && overruled.kind === 'moved'
  const after = revise(booking, now, {
    status: 'confirmed',
    startTime: to.startTime,
    endTime: to.endTime,
    hosts: to.hosts,
    buffers: to.buffers,
    location: undefined,
    ...(change.seen && partsOf({ ...booking, hosts: to.hosts }, change.seen)),
    calendly: successor,
    holdId: change.holdId ?? booking.holdId,
    change: isMovedOn ? followUp(overruled, now) : undefined,
    resolution: undefined,
    ...wentTo(booking, successor.invitee, {
      startTime: to.startTime,
      at: now,
      requestedAt: change.requestedAt
    })
  })
  await tables.bookings.update(after, isMovedOn ? secondHalfMs : undefined)
  await note(tables, after, 'rescheduled', {
    from: formatInstant(startTime),
    to: formatInstant(to.startTime),
    calendly_invitee: successor.invitee
  })
  // The claim on the new time is there; only hosts that Calendly has named change it.
  await tables.claims.release(booking.tenantId, booking.id, startTime)
  await reclaim(tables, { ...after, ...to }, after)
  const isGivenUp = overruled?.of === 'new' && overruled.kind === 'canceled'
  return isGivenUp ? recordCanceled(tables, after, now, overruled.fact) : after
}

/** It came to nothing: the booking stays at its old time, or follows what was done to that at Calendly. */
export async function recordFailed(
  writer: Writer,
  booking: Rescheduling,
  detail: Readonly<Record<string, unknown>> = {}
): Promise<Booking> {
  const { tables, now } = writer
  const { change, tenantId, id } = booking
  const { refusal = overruledRefusal, overruled, to } = change
  const isMovedOn = overruled?.of === 'old' && overruled.kind === 'moved'
  const isGivenUp = overruled?.of === 'old' && overruled.kind === 'canceled'
  const isRebooked = change.step === 'rebooking_old'
  const after = revise(booking, now, {
    status: 'confirmed',
    change: isMovedOn ? followUp(overruled, now) : undefined,
    resolution: undefined,
    refusedReschedule: {
      requestedAt: change.requestedAt,
      startTime: to.startTime,
      rejection: refusal,
      ...(isRebooked && { isRebooked })
    }
  })
  await tables.bookings.update(after, isMovedOn ? secondHalfMs : undefined)
  const words = {
    to: formatInstant(to.startTime),
    code: refusal.code,
    detail: refusal.detail,
    ...detail
  }
  // It stands again where somebody was told that it might not, or as another appointment at Calendly.
  const isNews = !isGivenUp && (isRebooked || booking.status === 'needs_attention')
  await note(tables, after, 'reschedule_failed', words, isNews ? 'booking.confirmed' : null)
  await tables.claims.release(tenantId, id, to.startTime)
  // A group's old session had made room for the new one where they touch.
  if (after.isGroup) await claimFact(tables, after, after.startTime)
  await giveHoldBack(tables, { ...after, holdId: change.holdId }, now, refusal)
  return isGivenUp ? recordCanceled(tables, after, now, overruled.fact) : after
}

const overruledRefusal: Rejection = {
  code: 'not_reschedulable',
  detail: 'Meanwhile it was canceled or moved on Calendly’s page: read it again.'
}

function followUp(overruled: Overruled & { kind: 'moved' }, now: number): Booking['change'] {
  return { kind: 'move', state: 'pending', requestedAt: now, newInvitee: overruled.newInvitee }
}

/** For a human: what is known, and where to look. `resolveInMs`: when the machine tries again all the same. */
export async function recordAttention(
  { tables, now }: Writer,
  booking: Rescheduling,
  reason: string,
  detail: Readonly<Record<string, unknown>> = {},
  resolveInMs?: number
): Promise<Booking> {
  const { change } = booking
  const next = revise(booking, now, { status: 'needs_attention', change, resolution: searchOf(booking) })
  await tables.bookings.update(next, resolveInMs)
  const words = { reason, ...detail, ...situationOf(booking) }
  const isNews = booking.status !== 'needs_attention'
  await note(tables, next, 'needs_attention', words, isNews ? 'booking.needs_attention' : null)
  return next
}

function situationOf(booking: Rescheduling) {
  const { change, calendly, startTime } = booking
  const { since, posts, lookups } = searchOf(booking)
  return {
    step: change.step,
    since: formatInstant(since),
    ...(isPosting(change) && { posts }),
    lookups,
    requested_at: formatInstant(change.requestedAt),
    old: reference(startTime, calendly),
    new: reference(change.to.startTime, change.successor),
    check: 'Compare both times in Calendly, cancel what is too much there, then resolve the booking.'
  }
}

function reference(startTime: number, { event, invitee }: Booking['calendly'] = {}) {
  return {
    start_time: formatInstant(startTime),
    calendly_event: event ?? null,
    calendly_invitee: invitee ?? null
  }
}

export function whatIsSeen({ startTime, endTime, location, hosts }: EventFact): Reschedule['seen'] {
  return { startTime, endTime, location, hosts }
}

export async function linkInvitee(
  { tables }: Writer,
  { tenantId, id }: Booking,
  { invitee }: Booking['calendly'],
  state: InviteeLink['state']
): Promise<void> {
  if (invitee !== undefined) await tables.invitees.put(tenantId, { uri: invitee, bookingId: id, state })
}
