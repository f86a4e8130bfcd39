import type { Booking, Invitee } from './booking.ts'
import type { Answer, EventType, Tracking } from './calendly.ts'
import type { Buffers } from './settings.ts'

export type BookingRequest = {
  eventType: string
  startTime: number
  invitee: Invitee & { timezone: string }
  location?: { kind: string; location?: string | undefined } | undefined
  questionsAndAnswers: readonly Answer[]
  tracking: Tracking
  guests: readonly string[]
  holdId?: string | undefined
  paymentIntent?: string | undefined
  sessionId?: string | undefined
  metadata: Readonly<Record<string, string>>
}

type Parts = { eventType: EventType; hosts: readonly string[]; buffers: Buffers }

/** The booking as it is asked for: `pending`, with every host whose time it may take. */
export function draftBooking(
  identity: Pick<Booking, 'id' | 'tenantId'>,
  now: number,
  request: BookingRequest,
  { eventType, hosts, buffers }: Parts
): Booking {
  const { paymentIntent } = request
  return {
    ...identity,
    status: 'pending',
    source: 'api',
    eventType: eventType.uri,
    isGroup: eventType.kind === 'group',
    startTime: request.startTime,
    endTime: request.startTime + eventType.durationMinutes * 60_000,
    invitee: request.invitee,
    hosts: hosts.map((user) => ({ user })),
    requestedLocation: request.location,
    questionsAndAnswers: request.questionsAndAnswers,
    tracking: request.tracking,
    guests: request.guests,
    sessionId: request.sessionId,
    metadata: request.metadata,
    holdId: request.holdId,
    buffers,
    calendly: {},
    payment: paymentIntent === undefined ? undefined : { provider: 'stripe', paymentIntent },
    reschedules: [],
    noShow: false,
    version: 1,
    createdAt: now,
    updatedAt: now
  }
}
