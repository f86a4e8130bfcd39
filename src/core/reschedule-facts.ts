import type { Booking } from './booking.ts'
import type { EventFact, InviteeFact } from './calendly.ts'
import type { Writer } from './reschedule-ends.ts'
import {
  recordBooked,
  recordNewCanceled,
  recordNewMoved,
  recordOldCanceled,
  recordOldMoved
} from './reschedule-records.ts'
import { isAnswerToStep, isPosting, isRescheduling, type Rescheduling } from './rescheduling.ts'

/**
 * Applies what Calendly reports while we reschedule, in any order. The booking as it then is: where `isDone` is false
 * and the reschedule is over, the fact is still to be applied as any other.
 */
export async function applyWhileRescheduling(
  writer: Writer,
  booking: Rescheduling,
  invitee: InviteeFact,
  event: EventFact
): Promise<{ booking: Booking; isDone: boolean }> {
  const done = (booking: Booking) => ({ booking, isDone: true })
  if (isAnswerToStep(booking, invitee, event)) {
    const next = await recordBooked(writer, booking, invitee, event)
    if (invitee.status === 'active') return done(next)
    // It was booked and given up again before we heard of it.
    return isRescheduling(next)
      ? done(await applyToNew(writer, next, invitee))
      : { booking: next, isDone: false }
  }
  if (invitee.uri === booking.change.successor?.invitee)
    return done(await applyToNew(writer, booking, invitee))
  if (invitee.uri === booking.calendly.invitee) return done(await applyToOld(writer, booking, invitee))
  return done(await applyToNext(writer, booking, invitee))
}

async function applyToNew(writer: Writer, booking: Rescheduling, invitee: InviteeFact): Promise<Booking> {
  if (invitee.status === 'active') return booking
  return invitee.rescheduled
    ? recordNewMoved(writer, booking, invitee.newInvitee)
    : recordNewCanceled(writer, booking, invitee.cancellation)
}

async function applyToOld(writer: Writer, booking: Rescheduling, invitee: InviteeFact): Promise<Booking> {
  if (invitee.status === 'active') return booking
  return invitee.rescheduled
    ? recordOldMoved(writer, booking, invitee.newInvitee)
    : recordOldCanceled(writer, booking, invitee.cancellation)
}

/** Where one of the two was moved to, told before it was told that it was moved. It is read again when we are done. */
async function applyToNext(writer: Writer, booking: Rescheduling, invitee: InviteeFact): Promise<Booking> {
  const { calendly, change } = booking
  if (invitee.oldInvitee === undefined) return booking
  if (invitee.oldInvitee === calendly.invitee) return recordOldMoved(writer, booking, invitee.uri)
  if (invitee.oldInvitee === change.successor?.invitee && !isPosting(change)) {
    return recordNewMoved(writer, booking, invitee.uri)
  }
  return booking
}
