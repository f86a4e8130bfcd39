import type { Booking, Overruled, Rejection, Reschedule } from './booking.ts'
import { partsOf, referencesOf, revise } from './booking-changes.ts'
import type { CancellationFact, EventFact, InviteeFact } from './calendly.ts'
import { rebookedAs } from './path.ts'
import { note } from './recording.ts'
import {
  linkInvitee,
  recordAttention,
  recordFailed,
  recordMoved,
  type Writer,
  whatIsSeen
} from './reschedule-ends.ts'
import { isPosting, type Rescheduling } from './rescheduling.ts'
import { submissionLeaseMs } from './submission.ts'

/** Calendly has booked what the step asked for. */
export async function recordBooked(
  writer: Writer,
  booking: Rescheduling,
  invitee: InviteeFact,
  event?: EventFact
): Promise<Booking> {
  const { change } = booking
  const calendly = referencesOf(invitee)
  await linkInvitee(writer, booking, calendly, 'active')
  const known = { calendly_event: invitee.event, calendly_invitee: invitee.uri }
  if (change.step === 'rebooking_old') {
    const { location, hosts = booking.hosts } = event ? partsOf(booking, event) : {}
    await note(writer.tables, { ...booking, updatedAt: writer.now }, 'old_time_rebooked', known)
    const rebooked = { ...booking, ...rebookedAs(booking, invitee.uri), calendly, location, hosts }
    return recordFailed(writer, rebooked, known)
  }
  const made: Reschedule = { ...change, successor: calendly, seen: event && whatIsSeen(event) }
  if (change.cancelFirst) return recordMoved(writer, { ...booking, change: made })
  const step = change.overruled?.of === 'old' ? 'canceling_new' : 'canceling_old'
  return advance(writer, booking, { ...made, step }, 'new_time_booked', known)
}

/** Calendly certainly did not book what the step asked for, and will not. */
export async function recordRefused(
  writer: Writer,
  booking: Rescheduling,
  refusal: Rejection
): Promise<Booking> {
  const { change } = booking
  const words = { code: refusal.code, detail: refusal.detail }
  if (change.step === 'rebooking_old') {
    return recordAttention(writer, booking, 'old_time_refused', { ...words })
  }
  if (!change.cancelFirst) return recordFailed(writer, { ...booking, change: { ...change, refusal } })
  await writer.tables.claims.release(booking.tenantId, booking.id, change.to.startTime)
  return advance(writer, booking, { ...change, step: 'rebooking_old', refusal }, 'new_time_refused', words)
}

/** The old event is gone from Calendly. `fact`: as Calendly tells it; our own cancellations are the host's there. */
export async function recordOldCanceled(
  writer: Writer,
  booking: Rescheduling,
  fact?: CancellationFact
): Promise<Booking> {
  const { change, calendly } = booking
  const isStep = change.step === 'canceling_old'
  if (isStep && !change.cancelFirst) return recordMoved(writer, booking)
  if (isStep && fact?.cancelerType !== 'invitee') {
    await linkInvitee(writer, booking, calendly, 'moved')
    return advance(writer, booking, { ...change, step: 'booking_new' }, 'old_time_canceled')
  }
  await linkInvitee(writer, booking, calendly, 'canceled')
  const overruled: Overruled = { of: 'old', kind: 'canceled', fact }
  // Nothing of the new time has been asked for yet.
  if (isStep) return recordFailed(writer, { ...booking, change: { ...change, overruled } })
  return overrule(writer, booking, overruled)
}

/** Somebody has moved the old event to yet another time on Calendly's page. */
export async function recordOldMoved(
  writer: Writer,
  booking: Rescheduling,
  newInvitee: string | undefined
): Promise<Booking> {
  const { change } = booking
  await linkInvitee(writer, booking, booking.calendly, 'moved')
  const overruled: Overruled = { of: 'old', kind: 'moved', newInvitee }
  if (change.step !== 'canceling_old') return overrule(writer, booking, overruled)
  if (change.cancelFirst) return recordFailed(writer, { ...booking, change: { ...change, overruled } })
  return advance(writer, booking, { ...change, overruled, step: 'canceling_new' }, 'reschedule_overruled', {
    of: 'old',
    by: 'moved'
  })
}

/** The old event is there to stay. */
export async function recordOldKept(
  writer: Writer,
  booking: Rescheduling,
  refusal: Rejection
): Promise<Booking> {
  const { change } = booking
  // What was to become of the new event has been decided at Calendly already.
  const isNewGone = change.overruled?.of === 'new'
  const words = { code: refusal.code, detail: refusal.detail }
  if (isNewGone && change.overruled?.kind === 'moved') {
    return recordAttention(writer, booking, 'new_time_moved', words)
  }
  if (change.cancelFirst || isNewGone)
    return recordFailed(writer, { ...booking, change: { ...change, refusal } })
  return advance(writer, booking, { ...change, refusal, step: 'canceling_new' }, 'old_time_kept', words)
}

/** The new event is gone from Calendly: canceled by us, or given up by whoever was invited to it. */
export async function recordNewCanceled(
  writer: Writer,
  booking: Rescheduling,
  fact?: CancellationFact
): Promise<Booking> {
  const { change } = booking
  await linkInvitee(writer, booking, change.successor ?? {}, 'canceled')
  if (change.step === 'canceling_new') return recordFailed(writer, booking)
  return overrule(writer, booking, { of: 'new', kind: 'canceled', fact })
}

/** Somebody has moved the new event on Calendly's page. */
export async function recordNewMoved(
  writer: Writer,
  booking: Rescheduling,
  newInvitee: string | undefined
): Promise<Booking> {
  await linkInvitee(writer, booking, booking.change.successor ?? {}, 'moved')
  if (booking.change.step === 'canceling_new') {
    return recordAttention(writer, booking, 'new_time_moved', { moved_to: newInvitee ?? null })
  }
  return overrule(writer, booking, { of: 'new', kind: 'moved', newInvitee })
}

/** A new event turns up whose reschedule was given up: it is to be canceled, the booking stays where it is. */
export async function recordLeftover(
  writer: Writer,
  booking: Booking,
  invitee: InviteeFact,
  { startTime, endTime, hosts }: EventFact
): Promise<Booking> {
  const { refusedReschedule } = booking
  const successor = referencesOf(invitee)
  await linkInvitee(writer, booking, successor, 'active')
  const change: Reschedule = {
    kind: 'reschedule',
    state: 'pending',
    requestedAt: refusedReschedule?.requestedAt ?? writer.now,
    step: 'canceling_new',
    cancelFirst: false,
    to: { startTime, endTime, hosts },
    successor,
    refusal: refusedReschedule?.rejection
  }
  return advance(writer, booking, change, 'leftover_found', {
    calendly_event: invitee.event,
    calendly_invitee: invitee.uri
  })
}

async function advance(
  writer: Writer,
  booking: Booking,
  change: Reschedule,
  type: string,
  detail: Readonly<Record<string, unknown>> = {}
): Promise<Booking> {
  const { tables, now, isActor } = writer
  const posts = isActor && isPosting(change) ? 1 : 0
  const next = revise(booking, now, {
    status: 'confirmed',
    change: { ...change, state: 'pending' },
    resolution: { since: now, lookups: 0, posts }
  })
  // While its request may still be at it, the resolver keeps away.
  const isAtWork = booking.change?.state === 'pending' && booking.status === 'confirmed'
  await tables.bookings.update(next, isActor || isAtWork ? submissionLeaseMs : 0)
  const isSettled = booking.status === 'needs_attention'
  await note(tables, next, type, detail, isSettled ? 'booking.confirmed' : null)
  return next
}

/** Kept until the step has its answer, which may be on its way. */
async function overrule(
  { tables, now }: Writer,
  booking: Rescheduling,
  overruled: Overruled
): Promise<Booking> {
  const { overruled: known } = booking.change
  if (known?.of === overruled.of && known.kind === overruled.kind) return booking
  const next = revise(booking, now, { change: { ...booking.change, overruled } })
  await tables.bookings.update(next, booking.status === 'needs_attention' ? 0 : undefined)
  await note(tables, next, 'reschedule_overruled', { of: overruled.of, by: overruled.kind })
  return next
}
