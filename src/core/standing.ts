import type { Booking } from './booking.ts'
import type { CancellationFact, EventFact, InviteeFact } from './calendly.ts'

/** How one seat stands at Calendly. `isShared`: others sit in the same event. */
export type Standing =
  | { kind: 'active'; isShared: boolean }
  | { kind: 'canceled'; fact: CancellationFact | undefined; isWholeEvent: boolean }
  | { kind: 'moved'; newInvitee: string | undefined }
  | { kind: 'missing' }

type Calendly = {
  findEvent: (uri: string) => Promise<EventFact | undefined>
  findInvitee: (uri: string) => Promise<InviteeFact | undefined>
}

/** One-on-one there is nobody else to look out for. */
export const unseen: Standing = { kind: 'active', isShared: false }

/** Throws while Calendly cannot be read. Only what was read as canceled counts as that. */
export async function findStanding(
  calendly: Calendly,
  { event, invitee }: Booking['calendly']
): Promise<Standing> {
  const [seat, whole] = await Promise.all([
    calendly.findInvitee(invitee ?? ''),
    calendly.findEvent(event ?? '')
  ])
  if (seat?.rescheduled) return { kind: 'moved', newInvitee: seat.newInvitee }
  if (whole?.status === 'canceled') return { kind: 'canceled', fact: whole.cancellation, isWholeEvent: true }
  if (seat?.status === 'canceled') return { kind: 'canceled', fact: seat.cancellation, isWholeEvent: false }
  return whole ? { kind: 'active', isShared: whole.inviteesCounter.active > 1 } : { kind: 'missing' }
}
