import { hkdfSync } from 'node:crypto'
import fp from 'fastify-plugin'
import { verifySignature } from '../calendly/signature.ts'
import { eventTypeUri } from '../calendly/uris.ts'
import { readDelivery } from '../calendly/wire-delivery.ts'
import { createAvailability } from '../core/availability.ts'
import { createBookings } from '../core/bookings.ts'
import type { EventType } from '../core/calendly.ts'
import { createCalendlyKeys } from '../core/calendly-keys.ts'
import { createCallers } from '../core/callers.ts'
import { createCancellations } from '../core/cancellations.ts'
import { connectedTenant } from '../core/connection.ts'
import { createCursors } from '../core/cursor.ts'
import { createDeliveries } from '../core/deliveries.ts'
import { createEventTypes } from '../core/event-types.ts'
import { createFacts } from '../core/facts.ts'
import { createHealth } from '../core/health.ts'
import { createIdempotency } from '../core/idempotency.ts'
import { createInbox } from '../core/inbox.ts'
import { createOutcomes } from '../core/outcomes.ts'
import { createResolution } from '../core/resolution.ts'
import { createSlotConflicts } from '../core/slot-conflicts.ts'
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
    listHosts: (eventType: EventType) => client.inTime(client.listHosts(eventType, true), beforeBookingMs),
    findEvent: (uri: string) => client.inTime(client.findEvent(uri), afterBookingMs)
  }

  const { lookupsMs } = schedule
  const availability = createAvailability({ system, reads, calendly })
  const conflicts = createSlotConflicts({ system, reads, calendly, openTimes: availability.openTimes })
  const facts = createFacts({ system })
  const outcomes = createOutcomes({ system, transact, facts, lookupsMs, calendly: toBook })
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
    eventTypes,
    availability: {
      find: (...asked: Parameters<typeof availability.find>) => client.inTime(availability.find(...asked))
    },
    cancellations,
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
    bookings: createBookings({ system, cursors, transact, reads, outcomes, conflicts, calendly: toBook }),
    resolution: createResolution({ system, transact, outcomes, cancellations, facts, calendly, schedule }),
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
