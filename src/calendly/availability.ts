import type { AvailableTime } from '../core/calendly.ts'
import { AppError } from '../core/errors.ts'
import { createBatch } from './batch.ts'
import type { Cache } from './cache.ts'
import { QuotaError } from './errors.ts'
import type { Cached, Entry } from './freshness.ts'
import { type Reads, when } from './reads.ts'
import { dayOf, earliestStart, type Window } from './windows.ts'
import { readAvailableTimes } from './wire-resources.ts'

type Day = readonly AvailableTime[]

/** Times that no longer hold: of this event type, and of every other one with these hosts. */
type News = { kind: 'availability'; eventType: string; hosts: readonly string[] }

type Deps = {
  reads: Reads
  /** For a booking, which finds quota where others find none. */
  bookingReads: Reads
  cache: Cache
  freshMs: number
  windowDays: number
  now: () => number
  announce: (news: News) => void
}

type Ask = { eventType: string; startTime: number; endTime: number; fresh?: boolean }

/** `asOf` is the age of the oldest part; `stale` means that a part is older than it should be. */
export type Availability = { times: AvailableTime[]; asOf: number; stale: boolean }

export function createAvailability(deps: Deps) {
  const { reads, bookingReads, cache, freshMs, windowDays, now, announce } = deps
  const { read, offer, createShelf } = cache.kind('availability', freshMs)
  const calendars = new Map<string, ReturnType<typeof createCalendar>>()
  const hostsOf = new Map<string, readonly string[]>()

  const load = (
    eventType: string,
    { startTime, endTime }: Pick<Window, 'startTime' | 'endTime'>,
    { get }: Reads = reads
  ) =>
    get(
      '/event_type_available_times',
      {
        event_type: eventType,
        start_time: new Date(startTime).toISOString(),
        end_time: new Date(endTime).toISOString()
      },
      readAvailableTimes
    )

  /** The days of one event type. */
  function createCalendar(eventType: string) {
    const days = createShelf<number, Day>()
    const loadDay = createBatch<AvailableTime>({
      windowDays,
      now,
      load: (window) => load(eventType, window),
      spare: (day, bring) => offer(days.at(day), bring)
    })
    return { days, loadDay }
  }

  function calendarOf(eventType: string) {
    const calendar = calendars.get(eventType) ?? createCalendar(eventType)
    calendars.set(eventType, calendar)
    return calendar
  }

  async function readDays({ eventType, startTime, endTime, fresh }: Ask): Promise<readonly Cached<Day>[]> {
    const { days, loadDay } = calendarOf(eventType)
    const entries: Entry<Day>[] = []
    const parts: (Cached<Day> | Promise<Cached<Day>>)[] = []
    for (let day = dayOf(startTime); day <= dayOf(endTime - 1); day++) {
      const entry = days.at(day)
      entries.push(entry)
      parts.push(read(entry, () => loadDay(day), fresh))
    }
    if (parts.every(isThere)) return parts
    // Who has to wait anyway need not take something stale.
    return Promise.all(
      parts.map(async (part, i) => (isThere(part) && part.stale && entries[i]?.loading) || part)
    )
  }

  // A booking takes its hosts' time from all that they offer; a type whose hosts are not known may be theirs.
  function drop(eventType: string, hosts: readonly string[]): void {
    const isAffected = (host: string) => hosts.includes(host)
    for (const [other, { days }] of calendars) {
      const isTheirs = hosts.length > 0 && (hostsOf.get(other)?.some(isAffected) ?? true)
      if (other === eventType || isTheirs) days.drop()
    }
  }

  /** Future times that start in the half-open range, ascending. Throws `event_type_not_found`. */
  async function availableTimes({
    eventType,
    startTime,
    endTime,
    fresh = false
  }: Ask): Promise<Availability> {
    const soonest = () => Math.max(startTime, now() + 1)
    const days = await readDays({ eventType, startTime: soonest(), endTime, fresh }).catch(
      when(404, () => {
        throw new AppError('event_type_not_found')
      })
    )
    const from = soonest()
    const isAsked = (time: AvailableTime) => time.startTime >= from && time.startTime < endTime
    // Only the days at either end can have times outside the range.
    const times = days.map(({ value }, i) =>
      i === 0 || i === days.length - 1 ? value.filter(isAsked) : value
    )
    return {
      times: ([] as AvailableTime[]).concat(...times),
      asOf: Math.min(now(), ...days.map((day) => day.at)),
      stale: days.some(({ stale }) => stale)
    }
  }

  /** As they are now, for a booking. Throws `event_type_not_found` and, rather than what was known before, `calendly_unavailable`. */
  async function timesToBook(ask: Omit<Ask, 'fresh'>): Promise<AvailableTime[]> {
    const known = await availableTimes({ ...ask, fresh: true }).catch((error) => {
      if (error instanceof Error && error.cause instanceof QuotaError) return undefined
      throw error
    })
    if (known && !known.stale) return known.times
    const { eventType, endTime } = ask
    const startTime = Math.max(ask.startTime, earliestStart(now()))
    return startTime < endTime ? load(eventType, { startTime, endTime }, bookingReads) : []
  }

  return {
    availableTimes,
    timesToBook,

    /** Forgets the times of an event type and of those that share a host with it, on every replica. */
    dropAvailability(eventType: string, hosts: readonly string[] = []): void {
      const affected = hosts.length > 0 ? hosts : (hostsOf.get(eventType) ?? [])
      drop(eventType, affected)
      announce({ kind: 'availability', eventType, hosts: affected })
    },

    /** What another replica announced. */
    hear: ({ eventType, hosts }: Omit<News, 'kind'>) => drop(eventType, hosts),

    learnHosts(eventType: string, hosts: readonly string[]): void {
      hostsOf.set(eventType, hosts)
    }
  }
}

const isThere = (part: Cached<Day> | Promise<Cached<Day>>): part is Cached<Day> => !(part instanceof Promise)
