import type { Booking } from './booking.ts'
import type { EventType } from './calendly.ts'
import { AppError } from './errors.ts'
import { checkRequirements } from './requirements.ts'

/** Events name these two otherwise than event types do. */
const kindsOfTypes: Readonly<Record<string, string>> = {
  zoom: 'zoom_conference',
  gotomeeting: 'gotomeeting_conference'
}
const kindsWithText = ['physical', 'outbound_call', 'ask_invitee', 'custom']

/** What the new event is asked to take place at: as it was asked for once, else as Calendly tells it of the old one. */
export function locationToCarry(
  { requestedLocation, location }: Booking,
  { poolingType }: EventType
): Booking['requestedLocation'] {
  if (poolingType === 'round_robin') return undefined
  if (requestedLocation || !location) return requestedLocation
  const kind = kindsOfTypes[location.type] ?? location.type
  return kindsWithText.includes(kind) ? { kind, location: location.location } : { kind }
}

/** Before the old time is given up: what Calendly would refuse of the new one it would refuse of the old one, too. */
export function refuseUnsuited(booking: Booking, eventType: EventType): void {
  try {
    checkRequirements(eventType, { ...booking, location: locationToCarry(booking, eventType) })
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const members = { reschedule_url: booking.calendly.rescheduleUrl ?? null }
    throw new AppError('not_reschedulable', error.message, { members })
  }
}
