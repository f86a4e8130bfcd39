import type { AvailableTime, CalendlyUser, EventType } from '../core/calendly.ts'
import { AppError } from '../core/errors.ts'
import type { System } from '../core/system.ts'
import { createAvailability } from './availability.ts'
import { createBookings } from './bookings.ts'
import { createCache } from './cache.ts'
import { createCall, type Log } from './call.ts'
import { statusOf } from './errors.ts'
import { createEventTypes } from './event-types.ts'
import { type CalendlyKey, createKeys } from './keys.ts'
import { createMeter } from './meter.ts'
import { createReads } from './reads.ts'
import { createScheduledEvents } from './scheduled-events.ts'
import { openSender } from './send.ts'
import { createSubscriptions } from './subscriptions.ts'
import { readUser } from './wire-resources.ts'

const minuteMs = 60_000

export type CalendlyOptions = {
  /** May have a path, such as that of a proxy. */
  baseUrl: string
  /** In order of preference. */
  keys: readonly CalendlyKey[]
  userAgent: string
  system: System
  /** How long available times are served without asking again. */
  cacheTtlMs: number
  cacheMaxEntries: number
  /** At most 31, as Calendly allows. */
  windowDays: number
  /** How long a refused key rests. */
  keyProbeMs: number
  log: Log
}

/**
 * Calendly's API, made dependable. Reads throw AppError `calendly_unavailable` when Calendly cannot be reached,
 * fails, throttles, accepts no key or cannot be understood; writes say what became of them.
 */
export function openCalendly(options: CalendlyOptions) {
  const { baseUrl, userAgent, system, log } = options
  const { now } = system
  const keys = createKeys(options.keys, { probeMs: options.keyProbeMs, now })
  const meter = createMeter({ now })
  const sender = openSender({ baseUrl, userAgent })
  const call = createCall({ send: sender.send, keys, meter, system, log })
  const reads = createReads({ call, baseUrl })

  const common = { maxEntries: options.cacheMaxEntries, mayCover, now }
  const lasting = { ...common, freshMs: minuteMs, staleMs: 10 * minuteMs }
  const users = createCache<CalendlyUser>({ ...lasting, maxEntries: 1 })
  const eventTypes = createCache<EventType>(lasting)
  const hosts = createCache<readonly string[]>(lasting)
  const windows = createCache<readonly AvailableTime[]>({ ...lasting, freshMs: options.cacheTtlMs })

  const readMe = () => reads.get('/users/me', {}, readUser)
  /** The owner of the key in use. */
  const user = async (): Promise<CalendlyUser> => (await users.get('me', readMe)).value
  const availability = createAvailability({ reads, windows, windowDays: options.windowDays, now })
  const { dropAvailability } = availability

  return {
    user,
    ...createEventTypes({ reads, user, eventTypes, hosts }),
    ...availability,
    ...createScheduledEvents({ reads, user }),
    ...createBookings({ call, now, dropAvailability }),
    ...createSubscriptions({ call, reads, user }),

    /** Asks Calendly who we are, past the cache. */
    async ping(): Promise<void> {
      await readMe()
    },
    health: () => ({ keys: keys.report(), ...meter.report() }),
    /** Waits for what is in flight, which its deadlines bound. */
    close: sender.close
  }
}

export type Calendly = ReturnType<typeof openCalendly>

// A refusal is news and must be seen; that Calendly is away, or accepts no key for now, is not.
function mayCover(error: unknown): boolean {
  return error instanceof AppError && statusOf(error) !== 403 && statusOf(error) !== 404
}
