import type { EventType } from './calendly.ts'
import type { Caller } from './callers.ts'
import { requireConnection } from './connection.ts'
import { AppError } from './errors.ts'

type Deps = {
  calendly: {
    /** The canonical URI of a full URI or last segment, percent-encoded or not. */
    eventTypeUri: (text: string) => string | undefined
    listEventTypes: () => Promise<readonly EventType[]>
    findEventType: (uri: string, isToBook?: boolean, mostAgeMs?: number) => Promise<EventType | undefined>
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
    async get(tenantId: string, text: string, isToBook = false, mostAgeMs?: number): Promise<EventType> {
      requireConnection(tenantId)
      const uri = calendly.eventTypeUri(text)
      const eventType = uri === undefined ? undefined : await calendly.findEventType(uri, isToBook, mostAgeMs)
      if (!eventType || eventType.deletedAt !== undefined) throw notFound(text)
      return eventType
    }
  }
}

export type EventTypes = ReturnType<typeof createEventTypes>

/** Of several that were asked for it is the one that is named; anything that is no id is not repeated. */
function notFound(text: string): AppError {
  const id = text.split(/%2F|\//i).at(-1) ?? ''
  return new AppError(
    'event_type_not_found',
    /^[\w-]{1,64}$/.test(id) ? `No such event type: ${id}` : undefined
  )
}
