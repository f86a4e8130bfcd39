import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Kysely } from 'kysely'
import type { BookingReads } from '../core/booking-tables.ts'
import type { CalendlyKeyTables } from '../core/calendly-key-tables.ts'
import type { Replay } from '../core/event-endpoint-deliveries.ts'
import type { EndpointTables } from '../core/event-endpoint-tables.ts'
import type { InboxTables } from '../core/inbox.ts'
import type { ReconciliationTables } from '../core/reconciliation.ts'
import type { RefundTables } from '../core/refund-tables.ts'
import type { SubscriptionTables } from '../core/subscription-tables.ts'
import { realSystem, type System } from '../core/system.ts'
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
import { createSubscriptionRows, readSubscriptionReports } from '../database/calendly-subscriptions.ts'
import { createCallerKeys } from '../database/caller-keys.ts'
import { hintCharge } from '../database/charge-hints.ts'
import { readChargeLooks } from '../database/charge-looks.ts'
import { createCharges, findCharge, takeCharges } from '../database/charges.ts'
import { createClaimChanges } from '../database/claim-changes.ts'
import { createClaims, readClaims, sweepClaims } from '../database/claims.ts'
import { believeDelivery, findDelivery, inboxState, insertDeliveries } from '../database/deliveries.ts'
import { openEngine } from '../database/engine.ts'
import { createOutbox, outboxState } from '../database/event-deliveries.ts'
import { type DeliveryPage, listEventDeliveries, replayEvents } from '../database/event-delivery-list.ts'
import {
  createEndpointSecrets,
  createEventEndpoints,
  readEventEndpoints
} from '../database/event-endpoints.ts'
import { createEventLog } from '../database/event-log.ts'
import { createEventWrites } from '../database/event-writes.ts'
import { createEvents } from '../database/events.ts'
import { createGatheredInserts } from '../database/gathered-inserts.ts'
import { createHolds, findHold, sweepHolds } from '../database/holds.ts'
import { createIdempotencyKeys, sweepIdempotencyKeys } from '../database/idempotency.ts'
import { createDeliveryRows } from '../database/inbox.ts'
import { countIncidents } from '../database/incidents.ts'
import { createIntegrityCounts } from '../database/integrity.ts'
import { createInvitees } from '../database/invitees.ts'
import { confirmedBeside, seatsOf } from '../database/known-seats.ts'
import { createLeases } from '../database/leases.ts'
import { createLedger } from '../database/ledger.ts'
import { createDays, createSessions, findSeats, sweepLimits } from '../database/limits.ts'
import { createMinuteQuota, sweepQuotas } from '../database/minute-quota.ts'
import { createPaymentTaskWrites } from '../database/payment-task-writes.ts'
import { createPaymentTasks } from '../database/payment-tasks.ts'
import {
  createReconciliations,
  findReconciliation,
  listReconciliations,
  reconciliationsSoFar,
  reconciliationTotals
} from '../database/reconciliations.ts'
import { createRefundPolicies, findRefundPolicy, listRefundPolicies } from '../database/refund-policies.ts'
import { refundTotals } from '../database/refund-totals.ts'
import { createRefundRows, findRefund, listRefunds } from '../database/refunds.ts'
import { sweepOld } from '../database/retention.ts'
import { createSchedulingLinks } from '../database/scheduling-links.ts'
import { createSettings, findSettings, listSettings, startsBetween } from '../database/settings.ts'
import type { Tables } from '../database/tables.ts'
import { createTimeline, readTimeline } from '../database/timeline.ts'
import { rememberWhileUnchanged } from '../database/unchanged.ts'
import { createReplay, readWebhookDeliveries } from '../database/webhook-deliveries.ts'
import { createSlotRows, readSlots } from '../database/webhook-slots.ts'
import { presentNews } from '../schemas/events.ts'

declare module 'fastify' {
  interface FastifyInstance {
    database: Database
  }
}

type Options = {
  url?: string | undefined
  dataDir: string
  /** How long webhooks and events are kept. */
  retentionMs: number
  system: System
}

async function openDatabase({ url, dataDir, retentionMs, system }: Options, app: FastifyInstance) {
  const engine = await openEngine({ url, dataDir, system, log: app.log })
  const { db } = engine
  const claimChanges = createClaimChanges()
  const eventWrites = createEventWrites()
  const paymentTaskWrites = createPaymentTaskWrites()
  const bus = url === undefined ? silentBus : await openBus({ url, db, system, log: app.log })
  const intake = createGatheredInserts({
    store: (deliveries) => insertDeliveries(db, deliveries),
    // While one waits for its commit the next is made ready.
    statements: engine.kind === 'embedded' ? 1 : 2,
    system
  })
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
      eventWrites.during((watchEvents) =>
        paymentTaskWrites.during((watchTasks) =>
          claimChanges.during((watchClaims) =>
            engine.transaction((tx) => {
              const tables = tablesOf(tx, system)
              return work({
                ...tables,
                claims: watchClaims(tables.claims),
                events: watchEvents(tables.events),
                paymentTasks: watchTasks(tables.paymentTasks)
              })
            })
          )
        )
      ),
    /** Grows with every transaction of this process that took time or gave it back. */
    claimChanges: claimChanges.count,
    /** After each transaction of this process that wrote events. */
    onEventsWritten: eventWrites.onWritten,
    /** After each transaction of this process that left something to do about a payment. */
    onPaymentTasksWritten: paymentTaskWrites.onWritten,
    eventLog: createEventLog(db),
    reads,
    refundPolicies: {
      list: listRefundPolicies.bind(undefined, db),
      find: findRefundPolicy.bind(undefined, db)
    },
    callerKeys: createCallerKeys(db),
    calendlyKeys: createCalendlyKeys(db),
    eventEndpoints: readEventEndpoints(db),
    endpointSecrets: createEndpointSecrets(db),
    eventDeliveries: {
      list: (tenantId: string, endpointId: string, page: DeliveryPage) =>
        listEventDeliveries(db, tenantId, endpointId, page),
      replay: (tenantId: string, endpointId: string, wanted: Replay) =>
        replayEvents(db, tenantId, endpointId, wanted)
    },
    outbox: { ...createOutbox(db), state: () => outboxState(db) },
    subscriptions: readSubscriptionReports(db),
    webhookSlots: readSlots(db),
    leases: createLeases(db),
    /** Where replicas may share it. */
    minuteQuota: engine.kind === 'postgresql' ? createMinuteQuota(db) : undefined,
    bookingQuota: createBookingQuota(engine),
    bus,
    inbox: {
      insert: intake.insert,
      isRushed: intake.isRushed,
      findByDigest: (tenantId: string, digest: Buffer) => findDelivery(db, tenantId, digest),
      believe: (tenantId: string, digest: Buffer) => believeDelivery(db, tenantId, digest),
      state: () => inboxState(db)
    },
    webhookDeliveries: readWebhookDeliveries(db),
    reconciliations: {
      find: findReconciliation.bind(undefined, db),
      list: listReconciliations.bind(undefined, db),
      soFar: reconciliationsSoFar.bind(undefined, db),
      totals: () => reconciliationTotals(db)
    },
    refundReads: {
      find: findRefund.bind(undefined, db),
      list: listRefunds.bind(undefined, db),
      findCharge: findCharge.bind(undefined, db),
      takeCharges: takeCharges.bind(undefined, db),
      hint: hintCharge.bind(undefined, db)
    },
    chargeLooks: readChargeLooks(db),
    refundTotals: () => refundTotals(db),
    knownSeats: {
      seatsOf: seatsOf.bind(undefined, db),
      confirmedBeside: confirmedBeside.bind(undefined, db)
    },
    oldestUnresolved: () => oldestUnresolved(db),
    incidents: () => countIncidents(db),
    countViolations: createIntegrityCounts(engine),
    /** Removes what has ended. */
    sweep: async (_epoch: number, signal: AbortSignal) => {
      await sweepClaims(db)
      await sweepHolds(db)
      await sweepLimits(db)
      await sweepIdempotencyKeys(db)
      await sweepBookingCalls(db)
      await sweepQuotas(db)
      await sweepOld(db, system.now() - retentionMs, signal)
    }
  }
}

export type Database = Awaited<ReturnType<typeof openDatabase>>

type EveryTable = InboxTables &
  CalendlyKeyTables &
  EndpointTables &
  ReconciliationTables &
  RefundTables &
  Pick<SubscriptionTables, 'subscriptions' | 'webhookSlots'> & {
    callerKeys: ReturnType<typeof createCallerKeys>
    webhookDeliveries: ReturnType<typeof createReplay>
  }

export function tablesOf(tx: Kysely<Tables>, system: Pick<System, 'now' | 'id'> = realSystem): EveryTable {
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
    paymentTasks: createPaymentTasks(tx),
    refunds: createRefundRows(tx),
    charges: createCharges(tx),
    ledger: createLedger(tx, system),
    policies: createRefundPolicies(tx),
    deliveries: createDeliveryRows(tx),
    webhookDeliveries: createReplay(tx),
    callerKeys: createCallerKeys(tx),
    calendlyKeys: createCalendlyKeys(tx),
    audit: createAudit(tx),
    eventEndpoints: createEventEndpoints(tx),
    reconciliations: createReconciliations(tx),
    subscriptions: createSubscriptionRows(tx),
    webhookSlots: createSlotRows(tx),
    events: createEvents(tx, { system, presentNews })
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
