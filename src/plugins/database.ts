import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Kysely } from 'kysely'
import type { BookingReads } from '../core/booking-tables.ts'
import type { CalendlyKeyTables } from '../core/calendly-key-tables.ts'
import type { InboxTables } from '../core/inbox.ts'
import type { System } from '../core/system.ts'
import { createAudit } from '../database/audit.ts'
import { createBookingQuota, sweepBookingCalls } from '../database/booking-quota.ts'
import {
  createBookingRows,
  findBooking,
  listBookings,
  oldestUnresolved,
  uncountedBetween
} from '../database/bookings.ts'
import { openBus, silentBus } from '../database/bus.ts'
import { createCalendlyKeys } from '../database/calendly-keys.ts'
import { createCallerKeys } from '../database/caller-keys.ts'
import { createClaimChanges } from '../database/claim-changes.ts'
import { createClaims, readClaims, sweepClaims } from '../database/claims.ts'
import { createDeliveryRows, findDelivery, inboxState, insertDelivery } from '../database/deliveries.ts'
import { openEngine } from '../database/engine.ts'
import { createHolds, findHold, sweepHolds } from '../database/holds.ts'
import { createIdempotencyKeys, sweepIdempotencyKeys } from '../database/idempotency.ts'
import { countIncidents } from '../database/incidents.ts'
import { createInvitees } from '../database/invitees.ts'
import { createLeases } from '../database/leases.ts'
import { createDays, createSessions, findSeats, sweepLimits } from '../database/limits.ts'
import { createMinuteQuota, sweepQuotas } from '../database/minute-quota.ts'
import { createSchedulingLinks } from '../database/scheduling-links.ts'
import { createSettings, findSettings, listSettings, startsBetween } from '../database/settings.ts'
import type { Tables } from '../database/tables.ts'
import { createTimeline, readTimeline } from '../database/timeline.ts'
import { rememberWhileUnchanged } from '../database/unchanged.ts'

declare module 'fastify' {
  interface FastifyInstance {
    database: Database
  }
}

type Options = { url?: string | undefined; dataDir: string; system: System }

async function openDatabase({ url, dataDir, system }: Options, app: FastifyInstance) {
  const engine = await openEngine({ url, dataDir, system, log: app.log })
  const { db } = engine
  const claimChanges = createClaimChanges()
  const bus = url === undefined ? silentBus : await openBus({ url, db, system, log: app.log })
  const reads: BookingReads = {
    find: (tenantId, id) => findBooking(db, tenantId, id),
    list: (tenantId, filter) => listBookings(db, tenantId, filter),
    timeline: (tenantId, id) => readTimeline(db, tenantId, id),
    claimsBetween: rememberWhileUnchanged(system, engine.changes, readClaims.bind(undefined, db)),
    startsBetween: (...range) => startsBetween(db, ...range),
    uncountedBetween: (...range) => uncountedBetween(db, ...range),
    settingsOf: (tenantId, eventType) => findSettings(db, tenantId, eventType),
    allSettings: (tenantId) => listSettings(db, tenantId),
    findSeats: (tenantId, session) => findSeats(db, tenantId, session),
    findHold: (tenantId, id) => findHold(db, tenantId, id)
  }
  return {
    kind: engine.kind,
    ping: engine.ping,
    schemaIsCurrent: engine.schemaIsCurrent,
    close: async () => {
      await bus.close()
      await engine.close()
    },
    /** One transaction over every table. Read committed; `work` may run again after a deadlock. */
    transact: <T>(work: (tables: EveryTable) => Promise<T>) =>
      claimChanges.during((watch) =>
        engine.transaction((tx) => {
          const tables = tablesOf(tx)
          return work({ ...tables, claims: watch(tables.claims) })
        })
      ),
    /** Grows with every transaction of this process that took time or gave it back. */
    claimChanges: claimChanges.count,
    reads,
    callerKeys: createCallerKeys(db),
    calendlyKeys: createCalendlyKeys(db),
    leases: createLeases(db),
    /** Where replicas may share it. */
    minuteQuota: engine.kind === 'postgresql' ? createMinuteQuota(db) : undefined,
    bookingQuota: createBookingQuota(engine),
    bus,
    inbox: {
      insert: (delivery: Parameters<typeof insertDelivery>[1]) => insertDelivery(db, delivery),
      findByDigest: (tenantId: string, digest: Buffer) => findDelivery(db, tenantId, digest),
      state: () => inboxState(db)
    },
    oldestUnresolved: () => oldestUnresolved(db),
    incidents: () => countIncidents(db),
    /** Removes what has ended. */
    sweep: async () => {
      await sweepClaims(db)
      await sweepHolds(db)
      await sweepLimits(db)
      await sweepIdempotencyKeys(db)
      await sweepBookingCalls(db)
      await sweepQuotas(db)
    }
  }
}

export type Database = Awaited<ReturnType<typeof openDatabase>>

type EveryTable = InboxTables & CalendlyKeyTables & { callerKeys: ReturnType<typeof createCallerKeys> }

export function tablesOf(tx: Kysely<Tables>): EveryTable {
  return {
    idempotency: createIdempotencyKeys(tx),
    bookings: createBookingRows(tx),
    timeline: createTimeline(tx),
    invitees: createInvitees(tx),
    claims: createClaims(tx),
    sessions: createSessions(tx),
    days: createDays(tx),
    settings: createSettings(tx),
    holds: createHolds(tx),
    links: createSchedulingLinks(tx),
    deliveries: createDeliveryRows(tx),
    callerKeys: createCallerKeys(tx),
    calendlyKeys: createCalendlyKeys(tx),
    audit: createAudit(tx)
  }
}

/** The database, open and with the current schema; closed after everything that uses it. */
export const database = fp<Options>(
  async (app, options) => {
    const opened = await openDatabase(options, app)
    app.decorate('database', opened)
    app.addHook('onClose', opened.close)
  },
  { name: 'database' }
)
