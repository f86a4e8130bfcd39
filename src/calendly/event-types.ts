import type { CalendlyUser, EventType } from '../core/calendly.ts'
import type { Cache } from './cache.ts'
import { type Reads, when } from './reads.ts'
import type { SpareLane } from './spare-lane.ts'
import { pathOf } from './uris.ts'
import { readEventType, readEventTypes, readMembers } from './wire-resources.ts'

const freshMs = 60_000

type Deps = {
  reads: Reads
  remembered: SpareLane
  cache: Cache
  user: () => Promise<CalendlyUser>
  /** Told whenever an event type's hosts are known. */
  learnHosts: (eventType: string, hosts: readonly string[]) => void
}

export function createEventTypes({ reads, remembered, cache, user, learnHosts }: Deps) {
  const eventTypes = cache.remember<EventType>('event_types', freshMs)
  const listings = cache.remember<readonly EventType[]>('event_type_listings', freshMs)
  const members = cache.remember<readonly string[]>('hosts', freshMs)

  const list = (owner: { organization?: string; user?: string }) =>
    reads.list('/event_types', owner, readEventTypes)

  async function findHosts({ uri, profile, poolingType }: EventType, isToBook: boolean) {
    if (profile?.type === 'User' && !poolingType) return [profile.owner]
    const load = ({ list }: Reads) =>
      list('/event_type_memberships', { event_type: uri }, readMembers)
        .catch(when(403, (): string[] => []))
        .catch(when(404, (): string[] => []))
    const found = await remembered(members, uri, load, isToBook)
    return found.length > 0 ? found : [(await user()).uri]
  }

  return {
    /** What is remembered of it, and of all together. */
    drop(uri: string): void {
      eventTypes.forget(uri)
      members.forget(uri)
      listings.drop()
    },

    /** The organisation's and the user's listings united: neither alone has every type. */
    async listEventTypes(): Promise<readonly EventType[]> {
      const { organization, uri } = await user()
      return listings.get(uri, async () => {
        const [shared, own] = await Promise.all([
          list({ organization }).catch(when(403, (): EventType[] => [])),
          list({ user: uri })
        ])
        return [...new Map([...shared, ...own].map((type) => [type.uri, type])).values()]
      })
    },

    /** A deleted type is found too, with its `deletedAt`. `mostAgeMs`: what is remembered for longer is read anew. */
    async findEventType(uri: string, isToBook = false, mostAgeMs = freshMs): Promise<EventType | undefined> {
      const path = pathOf('eventType', uri)
      if (path === undefined) return undefined
      const load = ({ get }: Reads) => get(path, {}, readEventType)
      const get: typeof eventTypes.get = (key, load) =>
        mostAgeMs < freshMs ? eventTypes.renew(key, load, mostAgeMs) : eventTypes.get(key, load)
      return remembered({ get }, uri, load, isToBook).catch(when(404, () => undefined))
    },

    /** The URIs of the users whose time a booking of this type may take. */
    async listHosts(eventType: EventType, isToBook = false): Promise<readonly string[]> {
      const hosts = await findHosts(eventType, isToBook)
      learnHosts(eventType.uri, hosts)
      return hosts
    }
  }
}
