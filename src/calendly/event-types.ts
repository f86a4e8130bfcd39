import type { CalendlyUser, EventType } from '../core/calendly.ts'
import type { createCache } from './cache.ts'
import { type Reads, when } from './reads.ts'
import { pathOf } from './uris.ts'
import { readEventType, readEventTypes, readMembers } from './wire-resources.ts'

type Deps = {
  reads: Reads
  user: () => Promise<CalendlyUser>
  eventTypes: ReturnType<typeof createCache<EventType>>
  hosts: ReturnType<typeof createCache<readonly string[]>>
}

export function createEventTypes({ reads, user, eventTypes, hosts }: Deps) {
  const list = (owner: { organization?: string; user?: string }) =>
    reads.list('/event_types', owner, readEventTypes)

  return {
    /** The organisation's and the user's listings united: neither alone has every type. */
    async listEventTypes(): Promise<EventType[]> {
      const { organization, uri } = await user()
      const [shared, own] = await Promise.all([
        list({ organization }).catch(when(403, (): EventType[] => [])),
        list({ user: uri })
      ])
      return [...new Map([...shared, ...own].map((type) => [type.uri, type])).values()]
    },

    /** A deleted type is found too, with its `deletedAt`. */
    async findEventType(uri: string): Promise<EventType | undefined> {
      const path = pathOf('eventType', uri)
      if (path === undefined) return undefined
      const load = () => reads.get(path, {}, readEventType)
      return eventTypes.get(uri, load).then(
        ({ value }) => value,
        when(404, () => undefined)
      )
    },

    /** The URIs of the users whose time a booking of this type may take. */
    async listHosts({ uri, profile, poolingType }: EventType): Promise<readonly string[]> {
      if (profile?.type === 'User' && !poolingType) return [profile.owner]
      const load = () =>
        reads
          .list('/event_type_memberships', { event_type: uri }, readMembers)
          .catch(when(403, (): string[] => []))
          .catch(when(404, (): string[] => []))
      const { value } = await hosts.get(uri, load)
      return value.length > 0 ? value : [(await user()).uri]
    }
  }
}
