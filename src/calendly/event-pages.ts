import type { CalendlyUser, EventFact, InviteeFact } from '../core/calendly.ts'
import { AppError } from '../core/errors.ts'
import { statusOf } from './errors.ts'
import { type Reads, when } from './reads.ts'
import { pathOf } from './uris.ts'
import { readAnyEvents, readAnyInvitees, readEvent } from './wire-bookings.ts'

type Deps = {
  /** Of what the others leave of the quota. */
  reads: Reads
  user: () => Promise<CalendlyUser>
}

type Owner = { organization: string } | { user: string }
type Place = { owner: Owner; token: string }
type EventPage = {
  /** By start, nothing in place of what cannot be read. */
  events: readonly (EventFact | undefined)[]
  next: Place | undefined
}
type InviteePage = { invitees: readonly (InviteeFact | undefined)[]; next: string | undefined }

/**
 * Everything that is booked, a page at a time, so that whoever reads it all can wait between two pages. Throws
 * `calendly_unavailable` where it is worth waiting, and `calendly_rejected` where it is not.
 */
export function createEventPages({ reads, user }: Deps) {
  return {
    /**
     * Of the organisation's events, or of the user's own where the organisation's are forbidden, those that start in
     * the half-open range, active and canceled.
     */
    async pageOfEvents(range: { from: number; to?: number | undefined }, place?: Place): Promise<EventPage> {
      if (place) return readPage(range, place.owner, place.token)
      const { organization, uri } = await user()
      return readPage(range, { organization }).catch(when(403, () => readPage(range, { user: uri })))
    },

    /** Undefined where the event is unknown to Calendly, or not for us to see. */
    async pageOfInvitees(event: string, token?: string): Promise<InviteePage | undefined> {
      const path = pathOf('event', event)
      if (path === undefined) return undefined
      const page = await orMissing(reads.getPage(`${path}/invitees`, {}, readAnyInvitees, token))
      return page && { invitees: page.items, next: page.next }
    },

    /** Undefined where it is unknown to Calendly, not for us to see or not to be read. */
    async lookAtEvent(uri: string): Promise<EventFact | undefined> {
      const path = pathOf('event', uri)
      if (path === undefined) return undefined
      const found = await orMissing(reads.get(path, {}, (body) => ({ event: readEvent(body) })))
      return found?.event
    }
  }

  async function readPage(
    { from, to }: { from: number; to?: number | undefined },
    owner: Owner,
    token?: string
  ): Promise<EventPage> {
    const query = {
      ...owner,
      min_start_time: new Date(from).toISOString(),
      // Calendly counts the bound in.
      max_start_time: to === undefined ? undefined : new Date(to - 1).toISOString(),
      sort: 'start_time:asc'
    }
    const page = await reads
      .getPage('/scheduled_events', query, readAnyEvents, token)
      .catch(when(400, rejected))
    return { events: page.items, next: page.next === undefined ? undefined : { owner, token: page.next } }
  }
}

async function orMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error) => {
    const status = statusOf(error)
    if (status === 403 || status === 404) return undefined
    if (status === 400) return rejected()
    throw error
  })
}

function rejected(): never {
  throw new AppError('calendly_rejected', 'Calendly refuses to list what is booked')
}
