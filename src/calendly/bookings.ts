import type {
  CancelOutcome,
  InviteeFact,
  InviteeOutcome,
  InviteeRequest,
  Tracking
} from '../core/calendly.ts'
import type { Call } from './call.ts'
import type { Deadlines } from './deadline.ts'
import { bookingOutcomeOf, cancelRefusal, outcomeOf, unreadable } from './outcomes.ts'
import { pathOf } from './uris.ts'
import { readCancellation, readInvitee, readUri } from './wire-bookings.ts'

// A booking may take Calendly long, and giving up early would only make its outcome unknown.
const bookingDeadlines: Deadlines = { headersMs: 15_000, bodyMs: 5_000, totalMs: 15_000 }

type Deps = {
  call: Call
  now: () => number
  dropAvailability: (eventType: string) => void
}

export function createBookings({ call, now, dropAvailability }: Deps) {
  return {
    /** Books. Never sent again once a byte of it had left. */
    async createInvitee(request: InviteeRequest): Promise<InviteeOutcome> {
      try {
        const body = inviteeBody(request)
        const answer = await call(
          { method: 'POST', path: '/invitees', body },
          { lane: 'booking', isBooking: true, deadlines: bookingDeadlines }
        )
        const invitee = readInvitee(answer.body) ?? sketch(readUri(answer.body), request, now())
        return invitee ? { kind: 'done', invitee } : unreadable
      } catch (error) {
        return bookingOutcomeOf(error)
      } finally {
        dropAvailability(request.eventType)
      }
    },

    /** Cancels the event for everybody who is invited to it. */
    async cancelEvent(eventUri: string, reason?: string): Promise<CancelOutcome> {
      const path = pathOf('event', eventUri)
      if (path === undefined)
        return { kind: 'refused', reason: 'not_found', detail: 'Not the URI of an event' }
      try {
        const { body } = await call(
          { method: 'POST', path: `${path}/cancellation`, body: { reason } },
          { lane: 'booking' }
        )
        const cancellation = readCancellation(body)
        return cancellation ? { kind: 'done', cancellation } : unreadable
      } catch (error) {
        return outcomeOf(error, cancelRefusal)
      }
    }
  }
}

function inviteeBody({
  invitee,
  location,
  questionsAndAnswers,
  tracking,
  guests,
  ...request
}: InviteeRequest) {
  return {
    event_type: request.eventType,
    start_time: new Date(request.startTime).toISOString(),
    invitee: {
      name: invitee.name,
      first_name: invitee.firstName,
      last_name: invitee.lastName,
      email: invitee.email,
      timezone: invitee.timezone,
      text_reminder_number: invitee.textReminderNumber
    },
    location,
    questions_and_answers: questionsAndAnswers.length > 0 ? questionsAndAnswers : undefined,
    tracking: trackingBody(tracking),
    event_guests: guests.length > 0 ? guests : undefined
  }
}

// All or nothing: Calendly refuses tracking that lacks one of its six keys.
function trackingBody(tracking: Tracking) {
  if (Object.values(tracking).every((value) => value === undefined)) return undefined
  return {
    utm_campaign: tracking.utmCampaign ?? null,
    utm_source: tracking.utmSource ?? null,
    utm_medium: tracking.utmMedium ?? null,
    utm_content: tracking.utmContent ?? null,
    utm_term: tracking.utmTerm ?? null,
    salesforce_uuid: tracking.salesforceUuid ?? null
  }
}

// An answer with a readable URI means that the booking exists; the rest is then what was asked for.
function sketch(uri: string | undefined, request: InviteeRequest, now: number): InviteeFact | undefined {
  if (uri === undefined || pathOf('invitee', uri) === undefined) return undefined
  const { name, ...invitee } = request.invitee
  return {
    ...invitee,
    uri,
    event: uri.slice(0, uri.lastIndexOf('/invitees/')),
    status: 'active',
    name: name ?? [invitee.firstName, invitee.lastName].filter(Boolean).join(' '),
    questionsAndAnswers: request.questionsAndAnswers,
    tracking: request.tracking,
    rescheduled: false,
    createdAt: now,
    updatedAt: now
  }
}
