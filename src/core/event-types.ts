import type { EventType } from './calendly.ts'
import type { Caller } from './callers.ts'
import { AppError } from './errors.ts'

/** The tenant that the Calendly credential of the environment belongs to. */
const connectedTenant = 'default'

type Deps = {
  calendly: {
    /** The canonical URI of a full URI or last segment, percent-encoded or not. */
    eventTypeUri: (text: string) => string | undefined
    listEventTypes: () => Promise<readonly EventType[]>
    findEventType: (uri: string) => Promise<EventType | undefined>
  }
}

/** What the connected account offers. */
export function createEventTypes({ calendly }: Deps) {
  return {
    async list({ tenantId }: Pick<Caller, 'tenantId'>): Promise<readonly EventType[]> {
      requireConnection(tenantId)
      return calendly.listEventTypes()
    },

    /** Throws `event_type_not_found`, for a deleted one too. */
    async get(tenantId: string, text: string): Promise<EventType> {
      requireConnection(tenantId)
      const uri = calendly.eventTypeUri(text)
      const eventType = uri === undefined ? undefined : await calendly.findEventType(uri)
      if (!eventType || eventType.deletedAt !== undefined) throw new AppError('event_type_not_found')
      return eventType
    }
  }
}

export type EventTypes = ReturnType<typeof createEventTypes>

function requireConnection(tenantId: string): void {
  if (tenantId !== connectedTenant) {
    throw new AppError('calendly_unavailable', 'No Calendly account is connected for this tenant.')
  }
}
