import type { Booking, BookingStatus, Change } from './booking.ts'
import { joinedPayment } from './booking-payment.ts'
import type { CancellationFact, EventFact, InviteeFact } from './calendly.ts'

/** The one table of what may become of a booking. */
const transitions: Readonly<Record<BookingStatus, readonly BookingStatus[]>> = {
  pending: ['unknown', 'confirmed', 'rejected', 'canceled'],
  unknown: ['confirmed', 'rejected', 'needs_attention', 'canceled'],
  needs_attention: ['confirmed', 'rejected', 'canceled'],
  confirmed: ['canceled', 'needs_attention'],
  canceled: [],
  rejected: ['confirmed', 'canceled']
}

const [newFirst, cancelFirst] = ['new first', 'cancel first'] as const
type Phase = 'none' | 'cancel' | 'move' | `${typeof newFirst | typeof cancelFirst}: ${Step}`
type Step = Extract<Change, { kind: 'reschedule' }>['step']

/** The one table of what may become of a change, step by step; `none` is its end. A move begins on Calendly's page. */
const phases: Readonly<Partial<Record<Phase, readonly Phase[]>>> = {
  // A new event that turns up once its reschedule has been given up is canceled.
  none: [
    'cancel',
    'move',
    `${newFirst}: booking_new`,
    `${newFirst}: canceling_new`,
    `${cancelFirst}: canceling_old`
  ],
  cancel: ['none', 'move'],
  move: ['none'],
  [`${newFirst}: booking_new`]: [`${newFirst}: canceling_old`, `${newFirst}: canceling_new`, 'none', 'move'],
  [`${newFirst}: canceling_old`]: [`${newFirst}: canceling_new`, 'none', 'move'],
  [`${newFirst}: canceling_new`]: ['none', 'move'],
  [`${cancelFirst}: canceling_old`]: [`${cancelFirst}: booking_new`, 'none', 'move'],
  [`${cancelFirst}: booking_new`]: [`${cancelFirst}: rebooking_old`, 'none'],
  [`${cancelFirst}: rebooking_old`]: ['none']
}

/** The booking one version on. An impossible change of its status, or of the change under way, is a bug and throws. */
export function revise(booking: Booking, at: number, changes: Partial<Booking>): Booking {
  const { status = booking.status } = changes
  if (status !== booking.status && !transitions[booking.status].includes(status)) {
    throw new Error(`${booking.id} cannot go from ${booking.status} to ${status}`)
  }
  const [phase, next] = [
    phaseOf(booking.change),
    phaseOf('change' in changes ? changes.change : booking.change)
  ]
  if (phase !== next && !phases[phase]?.includes(next)) {
    throw new Error(`${booking.id} cannot go from ${phase} to ${next}`)
  }
  return { ...booking, ...changes, version: booking.version + 1, updatedAt: at }
}

function phaseOf(change: Change | undefined): Phase {
  if (change?.kind !== 'reschedule') return change?.kind ?? 'none'
  return `${change.cancelFirst ? cancelFirst : newFirst}: ${change.step}`
}

/** Calendly has it: what it says of the invitee and, where known, of the event becomes the booking's. */
export function confirmed(booking: Booking, at: number, invitee: InviteeFact, event?: EventFact): Booking {
  return revise(booking, at, {
    status: 'confirmed',
    calendly: referencesOf(invitee),
    payment: joinedPayment(booking.payment, invitee.payment),
    rejection: undefined,
    resolution: undefined,
    ...(event && partsOf(booking, event))
  })
}

export function referencesOf({ event, uri, cancelUrl, rescheduleUrl }: InviteeFact): Booking['calendly'] {
  return { event, invitee: uri, cancelUrl, rescheduleUrl }
}

/** Hosts that could not be read are no news: without them the booking would lose its claim. */
export function partsOf(
  booking: Pick<Booking, 'hosts'>,
  { startTime, endTime, location, hosts }: Pick<EventFact, 'startTime' | 'endTime' | 'location' | 'hosts'>
): Partial<Booking> {
  return { startTime, endTime, location, hosts: hosts.length > 0 ? hosts : booking.hosts }
}

/** What the answer to a booking leaves out: room, link and hosts. The same booking when all of it was known. */
export function completed(booking: Booking, at: number, event: EventFact): Booking {
  const isKnown =
    booking.location?.joinUrl === event.location?.joinUrl && booking.hosts[0]?.name !== undefined
  return isKnown ? booking : revise(booking, at, partsOf(booking, event))
}

/** A booking nobody asked us for: made on Calendly's own page, or by another program. */
export function bookingFromFact(
  identity: Pick<Booking, 'id' | 'tenantId' | 'source'>,
  at: number,
  invitee: InviteeFact,
  event: EventFact
): Booking {
  return {
    ...identity,
    status: 'confirmed',
    eventType: event.eventType ?? '',
    isGroup: event.inviteesCounter.limit > 1,
    startTime: event.startTime,
    endTime: event.endTime,
    invitee: {
      name: invitee.name,
      firstName: invitee.firstName,
      lastName: invitee.lastName,
      email: invitee.email,
      timezone: invitee.timezone,
      textReminderNumber: invitee.textReminderNumber
    },
    hosts: event.hosts,
    location: event.location,
    questionsAndAnswers: invitee.questionsAndAnswers,
    tracking: invitee.tracking,
    guests: event.guests,
    metadata: {},
    calendly: referencesOf(invitee),
    payment: invitee.payment,
    reschedules: [],
    noShow: false,
    version: 1,
    createdAt: at,
    updatedAt: at
  }
}

/**
 * Canceled. Who did it is what our own intent says, since Calendly calls every cancellation made
 * with the host's token the host's; its own word counts only where nobody asked us.
 */
export function canceled(booking: Booking, at: number, fact: CancellationFact | undefined): Booking {
  const intent = booking.change?.kind === 'cancel' ? booking.change : undefined
  return revise(booking, at, {
    status: 'canceled',
    change: undefined,
    resolution: undefined,
    cancellation: {
      cancelerType: intent?.cancelerType ?? (fact?.cancelerType === 'host' ? 'host' : 'invitee'),
      canceledBy: intent?.canceledBy ?? fact?.canceledBy,
      reason: fact?.reason ?? intent?.reason,
      canceledAt: fact?.createdAt ?? intent?.requestedAt ?? at,
      requestedAt: intent?.requestedAt,
      refund: intent?.refund
    }
  })
}
