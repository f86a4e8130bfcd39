import { type Booking, type Reschedule, type Resolution, resolutionOf } from './booking.ts'
import type { EventFact, InviteeFact } from './calendly.ts'

/** A booking that is being rescheduled by us. */
export type Rescheduling = Booking & { change: Reschedule }

export function isRescheduling(booking: Booking): booking is Rescheduling {
  return booking.change?.kind === 'reschedule'
}

/** Whether it is still at the same step of the same reschedule: nobody else has gone on with it. */
export function isStillAt(booking: Booking, { requestedAt, step }: Reschedule): booking is Rescheduling {
  return isRescheduling(booking) && booking.change.requestedAt === requestedAt && booking.change.step === step
}

/** Whether its step is a booking at Calendly; else it is a cancellation there. */
export function isPosting({ step }: Reschedule): boolean {
  return step === 'booking_new' || step === 'rebooking_old'
}

/** Which time its step books or cancels. */
export function startOfStep({ startTime, change }: Rescheduling): number {
  return change.step === 'booking_new' || change.step === 'canceling_new' ? change.to.startTime : startTime
}

/** What its step cancels. */
export function targetOf({ calendly, change }: Rescheduling): Booking['calendly'] {
  return change.step === 'canceling_new' ? (change.successor ?? {}) : calendly
}

/** How far the search for the step's answer has come. No POST of it was begun while `posts` is 0. */
export function searchOf(booking: Rescheduling): Resolution {
  return resolutionOf(booking, booking.updatedAt)
}

/**
 * Whether Calendly made it of the booking's step: the new event, or the one that replaces the old. Whoever moves a
 * booking on Calendly's page takes our id along; that one names the invitee it comes from.
 */
export function isAnswerToStep(booking: Booking, invitee: InviteeFact, event: EventFact): boolean {
  return (
    isRescheduling(booking) &&
    isPosting(booking.change) &&
    event.startTime === startOfStep(booking) &&
    isByUsFor(booking, invitee, event)
  )
}

/** Whether it is the new event of a reschedule that was given up: it has come after all, and is one too many. */
export function isLeftover(booking: Booking, invitee: InviteeFact, event: EventFact): boolean {
  return (
    booking.status === 'confirmed' &&
    booking.change === undefined &&
    invitee.status === 'active' &&
    event.startTime === booking.refusedReschedule?.startTime &&
    isByUsFor(booking, invitee, event)
  )
}

function isByUsFor(booking: Booking, invitee: InviteeFact, event: EventFact): boolean {
  return (
    invitee.tracking.utmTerm === booking.id &&
    invitee.oldInvitee === undefined &&
    invitee.uri !== booking.calendly.invitee &&
    invitee.email.toLowerCase() === booking.invitee.email.toLowerCase() &&
    event.eventType === booking.eventType
  )
}
