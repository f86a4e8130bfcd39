import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Kysely } from 'kysely'
import type { BookingReads } from '../core/booking-tables.ts'
import type { InboxTables } from '../core/inbox.ts'
import type { System } from '../core/system.ts'
import { createBookingRows, findBooking, listBookings, oldestUnresolved } from '../database/bookings.ts'
import { createCallerKeys } from '../database/caller-keys.ts'
import { claimsBetween, createClaims, sweepClaims } from '../database/claims.ts'
import { createDeliveryRows, findDelivery, inboxState, insertDelivery } from '../database/deliveries.ts'
import { openEngine } from '../database/engine.ts'
import { createIdempotencyKeys, sweepIdempotencyKeys } from '../database/idempotency.ts'
import { createInvitees } from '../database/invitees.ts'
import { createLeases } from '../database/leases.ts'
import type { Tables } from '../database/tables.ts'
import { createTimeline, readTimeline } from '../database/timeline.ts'

declare module 'fastify' {
  interface FastifyInstance {
    database: Database
  }
}

type Options = { url?: string | undefined; dataDir: string; system: System }

async function openDatabase({ url, dataDir, system }: Options, app: FastifyInstance) {
  const engine = await openEngine({ url, dataDir, system, log: app.log })
  const { db } = engine
  const reads: BookingReads = {
    find: (tenantId, id) => findBooking(db, tenantId, id),
    list: (tenantId, filter) => listBookings(db, tenantId, filter),
    timeline: (tenantId, id) => readTimeline(db, tenantId, id),
    claimsBetween: (tenantId, hosts, startTime, endTime) =>
      claimsBetween(db, tenantId, hosts, startTime, endTime)
  }
  return {
    kind: engine.kind,
    ping: engine.ping,
    schemaIsCurrent: engine.schemaIsCurrent,
    close: engine.close,
    /** One transaction over every table. Read committed; `work` may run again after a deadlock. */
    transact: <T>(work: (tables: EveryTable) => Promise<T>) => engine.transaction((tx) => work(tablesOf(tx))),
    reads,
    callerKeys: createCallerKeys(db),
    leases: createLeases(db),
    inbox: {
      insert: (delivery: Parameters<typeof insertDelivery>[1]) => insertDelivery(db, delivery),
      findByDigest: (tenantId: string, digest: Buffer) => findDelivery(db, tenantId, digest),
      state: () => inboxState(db)
    },
    oldestUnresolved: () => oldestUnresolved(db),
    /** Removes what has ended. */
    sweep: async () => {
      await sweepClaims(db)
      await sweepIdempotencyKeys(db)
    }
  }
}

export type Database = Awaited<ReturnType<typeof openDatabase>>

type EveryTable = InboxTables & { callerKeys: ReturnType<typeof createCallerKeys> }

export function tablesOf(tx: Kysely<Tables>): EveryTable {
  return {
    idempotency: createIdempotencyKeys(tx),
    bookings: createBookingRows(tx),
    timeline: createTimeline(tx),
    invitees: createInvitees(tx),
    claims: createClaims(tx),
    deliveries: createDeliveryRows(tx),
    callerKeys: createCallerKeys(tx)
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
