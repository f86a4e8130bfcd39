import type { CalendlyUser, EventFact, InviteeFact } from '../core/calendly.ts'
import { type Reads, when } from './reads.ts'
import { pathOf } from './uris.ts'
import { readEvent, readEvents, readInvitee, readInvitees } from './wire-bookings.ts'

type Deps = {
  reads: Reads
  user: () => Promise<CalendlyUser>
}

/** Instants bound the events' start times, both ends included. */
export type EventFilter = {
  inviteeEmail?: string | undefined
  minStartTime?: number | undefined
  maxStartTime?: number | undefined
  status?: 'active' | 'canceled' | undefined
}

export function createScheduledEvents({ reads, user }: Deps) {
  return {
    // What was booked is a fact to act on: it is asked for, never remembered.
    async findEvent(uri: string): Promise<EventFact | undefined> {
      const path = pathOf('event', uri)
      return path === undefined ? undefined : reads.get(path, {}, readEvent).catch(when(404, () => undefined))
    },

    async findInvitee(uri: string): Promise<InviteeFact | undefined> {
      const path = pathOf('invitee', uri)
      return path === undefined
        ? undefined
        : reads.get(path, {}, readInvitee).catch(when(404, () => undefined))
    },

    /** Empty for an event that Calendly does not know. */
    async listInvitees(eventUri: string): Promise<InviteeFact[]> {
      const path = pathOf('event', eventUri)
      if (path === undefined) return []
      return reads.list(`${path}/invitees`, {}, readInvitees).catch(when(404, (): InviteeFact[] => []))
    },

    /** The organisation's events, or the user's own where the organisation's are forbidden. */
    async listEvents(filter: EventFilter): Promise<EventFact[]> {
      const { organization, uri } = await user()
      const list = (owner: { organization?: string; user?: string }) =>
        reads.list('/scheduled_events', { ...owner, ...queryOf(filter) }, readEvents)
      return list({ organization }).catch(when(403, () => list({ user: uri })))
    }
  }
}

function queryOf({ inviteeEmail, minStartTime, maxStartTime, status }: EventFilter) {
  return {
    invitee_email: inviteeEmail,
    min_start_time: iso(minStartTime),
    max_start_time: iso(maxStartTime),
    status,
    sort: 'start_time:asc'
  }
}

const iso = (instant: number | undefined) =>
  instant === undefined ? undefined : new Date(instant).toISOString()
