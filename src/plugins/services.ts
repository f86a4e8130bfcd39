import { hkdfSync } from 'node:crypto'
import fp from 'fastify-plugin'
import { verifySignature } from '../calendly/signature.ts'
import { eventTypeUri } from '../calendly/uris.ts'
import { readDelivery } from '../calendly/wire-delivery.ts'
import { createAlternativeSearch } from '../core/alternative-search.ts'
import { createAvailability } from '../core/availability.ts'
import { createBookingResolve } from '../core/booking-resolve.ts'
import { createBookings } from '../core/bookings.ts'
import { createCalendarConflicts } from '../core/calendar-conflicts.ts'
import type { EventType } from '../core/calendly.ts'
import { createCalendlyKeys } from '../core/calendly-keys.ts'
import { createCallers } from '../core/callers.ts'
import { createCancellations } from '../core/cancellations.ts'
import { createClaimRules } from '../core/claim-rules.ts'
import { createConflictChecks } from '../core/conflict-checks.ts'
import { createConflicts } from '../core/conflicts.ts'
import { connectedTenant } from '../core/connection.ts'
import { createCursors } from '../core/cursor.ts'
import { createDeliveries } from '../core/deliveries.ts'
import { createEventTypeSettings } from '../core/event-type-settings.ts'
import { createEventTypes } from '../core/event-types.ts'
import { createFacts } from '../core/facts.ts'
import { createHealth } from '../core/health.ts'
import { createHolds } from '../core/holds.ts'
import { createIdempotency } from '../core/idempotency.ts'
import { createInbox } from '../core/inbox.ts'
import { createLookUp } from '../core/look-up.ts'
import { createNoShows } from '../core/no-shows.ts'
import { createOffers } from '../core/offers.ts'
import { createOutcomes } from '../core/outcomes.ts'
import { createOwnConflicts } from '../core/own-conflicts.ts'
import { createRescheduleSaga } from '../core/reschedule-saga.ts'
import { createReschedules } from '../core/reschedules.ts'
import { createResolution } from '../core/resolution.ts'
import { createSchedulingLinks } from '../core/scheduling-links.ts'
import { createSecondLook } from '../core/second-look.ts'
import { createSubscription } from '../core/subscription.ts'
import type { System } from '../core/system.ts'
import type { Vault } from '../core/vault.ts'

declare module 'fastify' {
  interface FastifyInstance {
    services: Services
  }
}

type Options = {
  system: System
  version: string
  adminKey: string
  vault: Vault
  encryptionKey: Buffer
  previousEncryptionKey: Buffer | undefined
  /** Which Calendly keys are due to be replaced. */
  keyPolicy: { maxUsage: number; maxAgeDays: number }
  /** Of the bare webhook path. */
  signingKeys: readonly string[]
  /** Where Calendly's deliveries are to arrive; without it no subscription is kept. */
  subscription?: { callbackUrl: string; signingKey: string } | undefined
  toleranceMs: number
  schedule: { lookupsMs: readonly number[]; absenceMs: number; attentionMs: number }
}

/** Where the core meets its adapters: each line is checked for its fit by the compiler. */
export const services = fp<Options>(
  async (app, options) => {
    app.decorate('services', createServices(app, options))
  },
  { name: 'services', dependencies: ['database', 'calendly'] }
)

const beforeBookingMs = 5_000
const afterBookingMs = 3_000
/** What is remembered of an event type for longer must not be what a booking is refused by. */
const mostAgeToRefuseMs = 5_000

type Adapters = Pick<import('fastify').FastifyInstance, 'database' | 'calendly' | 'calendlyKeySource' | 'log'>

function createServices(adapters: Adapters, options: Options) {
  const { database, calendly: client, calendlyKeySource, log } = adapters
  const { system, schedule, vault, encryptionKey, previousEncryptionKey } = options
  const { transact, reads } = database
  const eventTypes = createEventTypes({ calendly: { ...client, eventTypeUri } })
  const calendly = { ...client, eventTypeUri, getEventType: eventTypes.get }
  /** What a booking needs before and after it is sent, each in a part of the time that a caller will wait for it. */
  const toBook = {
    ...calendly,
    getEventType: (tenantId: string, uri: string) =>
      client.inTime(eventTypes.get(tenantId, uri, true), beforeBookingMs),
    renewEventType: (tenantId: string, uri: string) =>
      client.inTime(eventTypes.get(tenantId, uri, true, mostAgeToRefuseMs), beforeBookingMs),
    listHosts: (eventType: EventType) => client.inTime(client.listHosts(eventType, true), beforeBookingMs),
    timesToBook: (query: Parameters<typeof client.timesToBook>[0]) =>
      client.inTime(client.timesToBook(query), beforeBookingMs),
    timeZoneOf: (eventType: EventType) => client.inTime(client.timeZoneOf(eventType, true), beforeBookingMs),
    findEvent: (uri: string) => client.inTime(client.findEvent(uri), afterBookingMs)
  }

  const { lookupsMs } = schedule
  const facts = createFacts({ system })
  const eventTypeSettings = createEventTypeSettings({ system, transact, reads, eventTypes })
  const { doubt } = createSecondLook({ system, transact, reads, facts, calendly, log })
  const availability = createAvailability({ system, reads, settings: eventTypeSettings, calendly, doubt })
  const own = createOwnConflicts({ system, reads, settings: eventTypeSettings, calendly })
  const calendar = createCalendarConflicts({ own, calendly })
  const search = createAlternativeSearch({
    system,
    openTimes: (...asked) => client.inTime(availability.openTimes(...asked))
  })
  const { claimChanges } = database
  const conflicts = createConflicts({ system, own, calendar, search, calendly, claimChanges })
  const offers = createOffers({ calendly: toBook })
  const claimRules = createClaimRules({ reads, offers, calendly: toBook })
  const taking = { system, transact, reads, conflicts, claimRules, calendly: toBook }
  const holds = createHolds({ ...taking, offers })
  const conflictChecks = createConflictChecks({ system, reads, own, calendar, search, holds, calendly })
  const lookUp = createLookUp({ calendly, schedule })
  const outcomes = createOutcomes({ system, transact, facts, lookupsMs, calendly: toBook })
  const saga = createRescheduleSaga({ system, transact, facts, lookUp, calendly: toBook })
  const cancellations = createCancellations({ system, transact, reads, lookupsMs, calendly })
  const cursors = createCursors(
    derive(encryptionKey, 'cursors'),
    previousEncryptionKey && derive(previousEncryptionKey, 'cursors')
  )
  const calendlyKeys = createCalendlyKeys({
    system,
    transact,
    keys: database.calendlyKeys,
    source: calendlyKeySource,
    vault,
    calendly: client,
    policy: options.keyPolicy,
    log
  })
  const subscription =
    options.subscription && createSubscription({ ...options.subscription, system, calendly: client, log })

  return {
    eventTypeSettings,
    availability: {
      find: (...asked: Parameters<typeof availability.find>) => client.inTime(availability.find(...asked))
    },
    cancellations,
    conflictChecks,
    calendlyKeys,
    subscription,
    health: createHealth({
      system,
      database,
      calendly: client,
      keys: () => calendlyKeys.list({ tenantId: connectedTenant }),
      subscription: () => subscription?.lastSeen(),
      version: options.version
    }),
    callers: createCallers({
      system,
      adminKey: options.adminKey,
      transact,
      callerKeys: database.callerKeys
    }),
    idempotency: createIdempotency({ vault, transact }),
    holds,
    bookings: createBookings({ ...taking, cursors, outcomes }),
    noShows: createNoShows({ system, transact, reads, calendly }),
    bookingResolve: createBookingResolve({ system, transact, reads, facts, lookUp, calendly }),
    reschedules: createReschedules({ ...taking, offers, saga }),
    resolution: createResolution({
      system,
      transact,
      outcomes,
      cancellations,
      rescheduling: saga,
      facts,
      lookUp,
      calendly
    }),
    schedulingLinks: createSchedulingLinks({ system, transact, calendly: toBook }),
    inbox: createInbox({ system, facts, transact, read: readDelivery, calendly, log }),
    deliveries: createDeliveries({
      system,
      recipient: (slot) =>
        slot === undefined ? { tenantId: 'default', signingKeys: options.signingKeys } : undefined,
      toleranceMs: options.toleranceMs,
      verify: verifySignature,
      read: readDelivery,
      inbox: database.inbox,
      log
    })
  }
}

export type Services = ReturnType<typeof createServices>

/** A key of its own for each purpose. */
function derive(key: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', purpose, 32))
}
