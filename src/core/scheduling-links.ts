import type { BookingTables } from './booking-tables.ts'
import type { EventType } from './calendly.ts'
import type { Caller } from './callers.ts'
import { createId } from './ids.ts'
import type { System } from './system.ts'

export type LinkRequest = {
  eventType: string
  /** Of the journey that the booking will belong to. */
  sessionId?: string | undefined
  /** What the page has filled in already. */
  invitee?: { name?: string | undefined; email?: string | undefined } | undefined
}

type Deps = {
  system: Pick<System, 'now' | 'id'>
  transact: <T>(work: (tables: Pick<BookingTables, 'links'>) => Promise<T>) => Promise<T>
  calendly: {
    getEventType: (tenantId: string, text: string) => Promise<EventType>
    createSchedulingLink: (eventType: string) => Promise<{ bookingUrl: string }>
  }
}

export function createSchedulingLinks({ system, transact, calendly }: Deps) {
  return {
    /**
     * A link for one booking on Calendly's page, by whose id we know whoever books through it. One that is lost on
     * its way to the caller harms nobody: it is never used. Throws `event_type_not_found`, `calendly_rejected`
     * or `calendly_unavailable`.
     */
    async create(
      { tenantId }: Pick<Caller, 'tenantId'>,
      { eventType: text, sessionId, invitee }: LinkRequest
    ) {
      const { uri: eventType } = await calendly.getEventType(tenantId, text)
      const { bookingUrl } = await calendly.createSchedulingLink(eventType)
      const id = createId('lnk', system)
      await transact(({ links }) =>
        links.insert({ id, tenantId, eventType, sessionId, bookingUrl, createdAt: system.now() })
      )
      return { id, bookingUrl: withQuery(bookingUrl, { ...invitee, utm_term: id }) }
    }
  }
}

export type SchedulingLinks = ReturnType<typeof createSchedulingLinks>

function withQuery(address: string, fields: Readonly<Record<string, string | undefined>>): string {
  const url = new URL(address)
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  // A page need not know that `+` stands for a space; a real one is percent-encoded by now.
  url.search = url.search.replaceAll('+', '%20')
  return url.href
}
