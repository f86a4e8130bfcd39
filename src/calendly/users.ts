import type { BusyTime, CalendlyUser, EventType } from '../core/calendly.ts'
import { createSharing } from '../core/sharing.ts'
import type { Cache } from './cache.ts'
import { type Reads, when } from './reads.ts'
import type { SpareLane } from './spare-lane.ts'
import { pathOf } from './uris.ts'
import { earliestStart } from './windows.ts'
import { readBusyTimes, readUser } from './wire-resources.ts'

/** Hosts move to another zone rarely, and what depends on theirs is whole days. */
const freshMs = 3_600_000
/** The longest range of busy times that Calendly answers. */
const longestMs = 7 * 86_400_000

type Deps = {
  reads: Reads
  remembered: SpareLane
  cache: Cache
  user: () => Promise<CalendlyUser>
  now: () => number
}

export function createUsers({ reads, remembered, cache, user, now }: Deps) {
  const timeZones = cache.remember<{ timeZone?: string }>('time_zones', freshMs)
  const share = createSharing<BusyTime[]>()

  const load = (query: { user: string; start_time: string; end_time: string }, startedAt: number) =>
    share(JSON.stringify(query), () =>
      reads
        .get('/user_busy_times', query, readBusyTimes, startedAt)
        .catch(when(403, (): BusyTime[] => []))
        .catch(when(404, (): BusyTime[] => []))
        // The user's other calendar cannot be reached: its times are not known.
        .catch(when(424, (): BusyTime[] => []))
    )

  return {
    /**
     * From now on, ascending, what reaches into the half-open range; never remembered. Empty where Calendly
     * may not say.
     */
    async busyTimes(user: string, startTime: number, endTime: number): Promise<readonly BusyTime[]> {
      const startedAt = now()
      const parts = weeksOf(startTime, endTime, startedAt).map(([from, to]) =>
        load({ user, start_time: iso(from), end_time: iso(to) }, startedAt)
      )
      const found = (await Promise.all(parts)).flat().filter((busy) => busy.endTime > startTime)
      // What lies across the border of two weeks is in both.
      return [...new Map(found.map((busy) => [JSON.stringify(busy), busy])).values()]
    },

    /** The IANA zone of the user who owns it, or the connected user's where that is a team or a secret. */
    async timeZoneOf({ profile }: Pick<EventType, 'profile'>, isToBook = false): Promise<string> {
      const path = profile?.type === 'User' ? pathOf('user', profile.owner) : undefined
      if (path === undefined) return (await user()).timezone
      const find = async ({ get }: Reads): Promise<{ timeZone?: string }> =>
        get(path, {}, readUser)
          .then(({ timezone }) => ({ timeZone: timezone }))
          .catch(when(403, () => ({})))
          .catch(when(404, () => ({})))
      const { timeZone } = await remembered(timeZones, path, find, isToBook)
      return timeZone ?? (await user()).timezone
    }
  }
}

function weeksOf(startTime: number, endTime: number, now: number): [from: number, to: number][] {
  const earliest = earliestStart(now)
  const weeks: [number, number][] = []
  for (let from = Math.max(startTime, earliest); from < endTime; from += longestMs) {
    weeks.push([from, Math.min(endTime, from + longestMs)])
  }
  return weeks
}

const iso = (instant: number) => new Date(instant).toISOString()
