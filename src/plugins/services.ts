import { hkdfSync } from 'node:crypto'
import fp from 'fastify-plugin'
import { verifySignature } from '../calendly/signature.ts'
import { eventTypeUri } from '../calendly/uris.ts'
import { readDelivery } from '../calendly/wire-delivery.ts'
import { createAvailability } from '../core/availability.ts'
import { createBookings } from '../core/bookings.ts'
import { createCallers } from '../core/callers.ts'
import { createCancellations } from '../core/cancellations.ts'
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
import type { System } from '../core/system.ts'
import { createVault } from '../core/vault.ts'

declare module 'fastify' {
  interface FastifyInstance {
    services: Services
  }
}

type Options = {
  system: System
  version: string
  adminKey: string
  encryptionKey: Buffer
  /** Of the bare webhook path. */
  signingKeys: readonly string[]
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

type Adapters = Pick<import('fastify').FastifyInstance, 'database' | 'calendly' | 'log'>

function createServices({ database, calendly: client, log }: Adapters, options: Options) {
  const { system, schedule } = options
  const { transact, reads } = database
  const eventTypes = createEventTypes({ calendly: { ...client, eventTypeUri } })
  const calendly = { ...client, eventTypeUri, getEventType: eventTypes.get }

  const { lookupsMs } = schedule
  const availability = createAvailability({ system, reads, calendly })
  const conflicts = createSlotConflicts({ system, reads, calendly, openTimes: availability.openTimes })
  const facts = createFacts({ system })
  const outcomes = createOutcomes({ system, transact, facts, lookupsMs, calendly })
  const cancellations = createCancellations({ system, transact, reads, lookupsMs, calendly })
  const cursors = createCursors(derive(options.encryptionKey, 'cursors'))

  return {
    eventTypes,
    availability,
    cancellations,
    health: createHealth({ system, database, calendly: client, version: options.version }),
    callers: createCallers({
      system,
      adminKey: options.adminKey,
      transact,
      callerKeys: database.callerKeys
    }),
    idempotency: createIdempotency({ vault: createVault(options.encryptionKey), transact }),
    bookings: createBookings({ system, cursors, transact, reads, outcomes, conflicts, calendly }),
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
