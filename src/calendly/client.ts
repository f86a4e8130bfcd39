import type { CalendlyUser } from '../core/calendly.ts'
import { AppError } from '../core/errors.ts'
import type { System } from '../core/system.ts'
import { createAsk } from './ask.ts'
import { createAvailability } from './availability.ts'
import { createBookings } from './bookings.ts'
import { createBreaker } from './breaker.ts'
import { createCache } from './cache.ts'
import { createCall } from './call.ts'
import { usualDeadlines, within } from './deadline.ts'
import { ExchangeError } from './errors.ts'
import { createEventPages } from './event-pages.ts'
import { createEventTypes } from './event-types.ts'
import { createGovernor } from './governor.ts'
import { createIdentify } from './identify.ts'
import { createKeys } from './key-walk.ts'
import type { Identity, KeySource } from './keys.ts'
import type { Log } from './log.ts'
import { createMeter } from './meter.ts'
import { createNoShows } from './no-shows.ts'
import type { BookingLimit, BookingQuota, MinuteQuota } from './quota.ts'
import { reportQuotas } from './quota-report.ts'
import { createReads, when } from './reads.ts'
import { createRetry } from './retry.ts'
import { createScheduledEvents } from './scheduled-events.ts'
import { createSchedulingLinks } from './scheduling-links.ts'
import { openSender } from './send.ts'
import { createSpareLane } from './spare-lane.ts'
import { createSubscriptions } from './subscriptions.ts'
import { createTimeouts } from './timeouts.ts'
import { createUsers } from './users.ts'
import { readUser } from './wire-resources.ts'

const minuteMs = 60_000
/** After a failure, how long nothing must have been asked before it is worth asking whether it is over. */
const idleMs = 5_000
const tendingMs = 2_000

export type CalendlyOptions = {
  /** May have a path, such as that of a proxy. */
  baseUrl: string
  keys: KeySource
  quota: MinuteQuota
  bookingQuota: BookingQuota
  /** The part of Calendly's request quota that is ours, 0–1. */
  quotaShare: number
  /** Of `POST /invitees`; empty leaves the counting to Calendly. */
  bookingLimits: readonly BookingLimit[]
  userAgent: string
  system: System
  /** How long available times are served without asking again. */
  cacheTtlMs: number
  cacheMaxEntries: number
  cacheMaxBytes: number
  /** At most 31, as Calendly allows. */
  windowDays: number
  /** How often a refused key is probed. */
  keyProbeMs: number
  /** Tells the other replicas, who then `hear` it. */
  announce: (news: News) => void
  log: Log
}

/** What other replicas must know of: remembered times that no longer hold, or keys that changed. */
export type News =
  | { kind: 'availability'; eventType: string; hosts: readonly string[] }
  | { kind: 'event_type'; eventType: string }
  | { kind: 'keys' }

/**
 * Calendly's API, made dependable. Reads throw AppError `calendly_unavailable` when Calendly cannot be reached,
 * fails, throttles, accepts no key or cannot be understood; writes say what became of them.
 */
export function openCalendly(options: CalendlyOptions) {
  const { baseUrl, userAgent, system, log } = options
  const { now } = system
  const { cacheMaxEntries: maxEntries, cacheMaxBytes: maxBytes } = options
  const cache = createCache({ maxEntries, maxBytes, now })
  const users = cache.remember<CalendlyUser>('users', minuteMs)

  const meter = createMeter({ now })
  const breakers = {
    reads: createBreaker('reads', { now, log }),
    writes: createBreaker('writes', { now, log })
  }
  const startTimeout = createTimeouts()
  const sender = openSender({ baseUrl, userAgent, startTimeout })
  const ask = createAsk({ send: sender.send, breakers, meter, now, log })
  const retry = createRetry(system)
  const identify = createIdentify({ ask, retry, now })
  const { quota, bookingQuota, quotaShare: share, bookingLimits } = options
  const governor = createGovernor({ quota, bookingQuota, share, bookingLimits, now, log })
  const keys = createKeys({
    source: options.keys,
    identify,
    probeMs: options.keyProbeMs,
    isResting: governor.isResting,
    onChange: () => options.announce({ kind: 'keys' }),
    onOwnerChange: users.drop,
    now,
    log
  })
  const call = createCall({ ask, keys, governor, retry, system })
  const reads = createReads({ call, baseUrl, lane: 'resolution', now })
  const browsing = createReads({ call, baseUrl, lane: 'availability', now })
  const bookingReads = createReads({ call, baseUrl, lane: 'booking', now })
  const comparing = createReads({ call, baseUrl, lane: 'reconciliation', now })
  const remembered = createSpareLane({ reads: browsing, bookingReads })

  const readMe = () => reads.get('/users/me', {}, readUser)
  /** The owner of the key in use. */
  const user = () => users.get('me', readMe)
  const { cacheTtlMs: freshMs, windowDays, announce } = options
  const availability = createAvailability({
    reads: browsing,
    bookingReads,
    cache,
    freshMs,
    windowDays,
    now,
    announce
  })
  const { availableTimes, timesToBook, dropAvailability, learnHosts } = availability
  const { drop: forgetEventType, ...eventTypes } = createEventTypes({
    reads: browsing,
    remembered,
    cache,
    user,
    learnHosts
  })

  function dropAllOf(eventType: string): void {
    forgetEventType(eventType)
    availability.hear({ eventType, hosts: [] })
  }

  let tending: Promise<void> | undefined
  async function tend(): Promise<void> {
    await keys.tend()
    if (breakers.reads.state() !== 'half_open' && !meter.isAiling(idleMs)) return
    await readMe().catch((error) => {
      if (!(error instanceof AppError)) throw error
    })
  }

  return {
    user,
    ...eventTypes,
    ...createUsers({ reads: browsing, remembered, cache, user, now }),
    availableTimes,
    timesToBook,
    dropAvailability,
    /** Forgets an event type, its times and the lists of event types, on every replica. */
    dropEventType(eventType: string): void {
      dropAllOf(eventType)
      announce({ kind: 'event_type', eventType })
    },
    ...createScheduledEvents({ reads, user }),
    /** The same from the part of the quota that is for what can wait. */
    unhurried: createScheduledEvents({ reads: comparing, user }),
    ...createEventPages({ reads: comparing, user }),
    ...createBookings({ call, now, dropAvailability }),
    ...createNoShows({ call }),
    ...createSchedulingLinks({ call }),
    ...createSubscriptions({ call, reads, user }),

    /** For what takes several calls: after as long as one may take it is `calendly_unavailable`, and goes on for others. */
    inTime: <T>(work: Promise<T>, ms = usualDeadlines.totalMs): Promise<T> =>
      new Promise((resolve, reject) => {
        const end = startTimeout(ms, () =>
          reject(new AppError('calendly_unavailable', 'Calendly takes too long'))
        )
        work.then(resolve, reject).finally(end)
      }),

    /** Asks Calendly who we are, past the cache. */
    async ping(): Promise<void> {
      await readMe()
    },

    /** Whose a token is that need not be one of the keys. Throws AppError `calendly_unavailable`. */
    identify: (token: string): Promise<Identity> =>
      identify(token).catch(when(403, () => ({ kind: 'refused' }))),

    /** Follows the source of the keys, now. A source that is away leaves the keys as they are. */
    syncKeys: keys.sync,

    /** To be called every few seconds: keys are followed, verified and probed, and an outage's end is noticed. */
    async maintain(): Promise<void> {
      await keys.sync()
      tending ??= tend().finally(() => {
        tending = undefined
      })
      // A Calendly that hangs must not keep the keys from being followed.
      await within(tendingMs, tending).catch((error) => {
        if (!(error instanceof ExchangeError)) throw error
      })
    },

    /** What another replica announced; never announced again. */
    hear(news: News): void {
      if (news.kind === 'availability') availability.hear(news)
      else if (news.kind === 'event_type') dropAllOf(news.eventType)
      else void keys.sync()
    },
    /** Forgets every answer: news may have been missed. */
    forget: cache.forget,
    /** What is left to each Calendly user. Throws what the quotas' stores throw. */
    quotas: () =>
      reportQuotas({
        quota,
        bookingQuota,
        bookingLimits,
        users: keys.users(),
        bookingsRestUntil: governor.bookingsRestUntil,
        now: now()
      }),
    /** Counted since the client was opened. */
    health: () => ({
      keys: keys.report(),
      isQuotaUsedUp: governor.isUsedUp(),
      breakers: [breakers.reads.report(), breakers.writes.report()],
      cache: cache.report(),
      ...meter.report()
    }),
    /** Waits for what is in flight, which its deadlines bound. */
    close: sender.close
  }
}

export type Calendly = ReturnType<typeof openCalendly>
