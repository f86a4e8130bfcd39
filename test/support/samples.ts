import type { Booking } from '../../src/core/booking.ts'
import type { EventFact, EventType, InviteeFact } from '../../src/core/calendly.ts'

const api = 'https://api.calendly.com'
export const host = `${api}/users/HOST`
export const meeting = `${api}/event_types/MEETING`
/** A Tuesday at ten, UTC. */
export const tuesday = Date.parse('2026-12-01T10:00:00Z')
export const minuteMs = 60_000

/** A pending booking of ours for half an hour on `tuesday`, unless told otherwise. */
export function aBooking(changes: Partial<Booking> = {}): Booking {
  const { startTime = tuesday } = changes
  return {
    id: 'bkg_1',
    tenantId: 'default',
    status: 'pending',
    source: 'api',
    eventType: meeting,
    isGroup: false,
    startTime,
    endTime: startTime + 30 * minuteMs,
    invitee: { name: 'Ada Example', email: 'ada@example.com', timezone: 'Europe/Berlin' },
    hosts: [{ user: host }],
    questionsAndAnswers: [],
    tracking: {},
    guests: [],
    metadata: {},
    calendly: {},
    reschedules: [],
    noShow: false,
    version: 1,
    createdAt: Date.parse('2026-11-01T09:00:00Z'),
    updatedAt: Date.parse('2026-11-01T09:00:00Z'),
    ...changes
  }
}

/** What Calendly says of the invitee of event `name`. */
export function anInvitee(name: string, changes: Partial<InviteeFact> = {}): InviteeFact {
  const event = `${api}/scheduled_events/${name}`
  return {
    uri: inviteeUri(name),
    event,
    status: 'active',
    name: 'Ada Example',
    email: 'ada@example.com',
    timezone: 'Europe/Berlin',
    questionsAndAnswers: [],
    tracking: {},
    rescheduled: false,
    cancelUrl: `https://calendly.com/cancellations/${name}`,
    rescheduleUrl: `https://calendly.com/reschedulings/${name}`,
    createdAt: Date.parse('2026-11-01T09:00:00Z'),
    updatedAt: Date.parse('2026-11-01T09:00:00Z'),
    ...changes
  }
}

export const inviteeUri = (name: string) => `${api}/scheduled_events/${name}/invitees/${name}`

export function anEvent(name: string, changes: Partial<EventFact> = {}): EventFact {
  const { startTime = tuesday } = changes
  return {
    uri: `${api}/scheduled_events/${name}`,
    status: 'active',
    eventType: meeting,
    startTime,
    endTime: startTime + 30 * minuteMs,
    location: { type: 'google_conference', joinUrl: `https://calendly.com/events/${name}/google_meet` },
    hosts: [{ user: host, name: 'Hedy Host', email: 'hedy@example.com' }],
    guests: [],
    inviteesCounter: { total: 1, active: 1, limit: 1 },
    ...changes
  }
}

export function anEventType(changes: Partial<EventType> = {}): EventType {
  return {
    uri: meeting,
    name: 'Meeting',
    active: true,
    durationMinutes: 30,
    durationOptions: [30],
    kind: 'solo',
    isPaid: false,
    secret: false,
    questions: [],
    ...changes
  }
}
