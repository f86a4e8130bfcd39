import { hkdfSync } from 'node:crypto'
import fp from 'fastify-plugin'
import { verifySignature } from '../calendly/signature.ts'
import { eventTypeUri } from '../calendly/uris.ts'
import { outlineDelivery, readDelivery } from '../calendly/wire-delivery.ts'
import { createAlternativeSearch } from '../core/alternative-search.ts'
import { createAvailability } from '../core/availability.ts'
import { createBookingResolve } from '../core/booking-resolve.ts'
import { createBookings } from '../core/bookings.ts'
import { createCalendarConflicts } from '../core/calendar-conflicts.ts'
import type { EventType } from '../core/calendly.ts'
import { createCalendlyKeys } from '../core/calendly-keys.ts'
import { createCallers } from '../core/callers.ts'
import { createCancellations } from '../core/cancellations.ts'
import { createChargeLooks } from '../core/charge-looks.ts'
import { createClaimRules } from '../core/claim-rules.ts'
import { createConflictChecks } from '../core/conflict-checks.ts'
import { createConflicts } from '../core/conflicts.ts'
import { connectedTenant } from '../core/connection.ts'
import { createCursors } from '../core/cursor.ts'
import { createDeliveries } from '../core/deliveries.ts'
import { createDispatcher } from '../core/dispatcher.ts'
import { createEndpointDeliveries } from '../core/event-endpoint-deliveries.ts'
import { createEndpointUpkeep } from '../core/event-endpoint-upkeep.ts'
import { createEventEndpoints } from '../core/event-endpoints.ts'
import { createEventLog } from '../core/event-log.ts'
import { createEventTypeSettings } from '../core/event-type-settings.ts'
import { createEventTypes } from '../core/event-types.ts'
import { createFacts } from '../core/facts.ts'
import { createHealth } from '../core/health.ts'
import { createHolds } from '../core/holds.ts'
import { createIdempotency } from '../core/idempotency.ts'
import { createInbox } from '../core/inbox.ts'
import { createIntegrity } from '../core/integrity.ts'
import { createLookUp } from '../core/look-up.ts'
import { createNoShows } from '../core/no-shows.ts'
import { createOffers } from '../core/offers.ts'
import { createOutcomes } from '../core/outcomes.ts'
import { createOwnConflicts } from '../core/own-conflicts.ts'
import { createPaidBookings } from '../core/paid-bookings.ts'
import { createPaidCancellations } from '../core/paid-cancellations.ts'
import { createPaymentCheck } from '../core/payment-check.ts'
import { createPaymentTasks } from '../core/payment-tasks.ts'
import { createPredecessors } from '../core/predecessors.ts'
import { createReconciliationQueue } from '../core/reconciliation-queue.ts'
import { createReconciliationRun } from '../core/reconciliation-run.ts'
import { createReconciliations } from '../core/reconciliations.ts'
import { createRefundApproval } from '../core/refund-approval.ts'
import { createRefundPolicies } from '../core/refund-policies.ts'
import { createRefundSubmission } from '../core/refund-submission.ts'
import { createRefunds } from '../core/refunds.ts'
import { createRescheduleSaga } from '../core/reschedule-saga.ts'
import { createReschedules } from '../core/reschedules.ts'
import { createResolution } from '../core/resolution.ts'
import { createSchedulingLinks } from '../core/scheduling-links.ts'
import { createSecondLook } from '../core/second-look.ts'
import { createStalePulls } from '../core/stale-pulls.ts'
import { createStripeHealth } from '../core/stripe-health.ts'
import { createStripeHints } from '../core/stripe-hints.ts'
import { stripeWarnings } from '../core/stripe-key.ts'
import { createStripeReconciliation } from '../core/stripe-reconciliation.ts'
import { subscriptionLease } from '../core/subscription.ts'
import { createGuardian } from '../core/subscription-guardian.ts'
import { createSubscriptions } from '../core/subscriptions.ts'
import type { System } from '../core/system.ts'
import { createTurns } from '../core/turns.ts'
import type { Vault } from '../core/vault.ts'
import { createWebhookDeliveries } from '../core/webhook-deliveries.ts'
import { createWebhookSlots } from '../core/webhook-slots.ts'
import { createLease } from '../jobs/lease.ts'
import { verifyStripeWebhook } from '../payments/webhooks.ts'
import { presentEventEndpoint } from '../schemas/event-endpoints.ts'

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
  stripe: { secretKey?: string | undefined; webhookSecrets: readonly string[] }
  refundMode: 'automatic' | 'approval'
  reconciliationMs: number
  /** The wait before each attempt to tell an endpoint of an event. */
  eventWaitsMs: readonly number[]
  sweepMs: number
  subscriptionCheckMs: number
  retentionMs: number
}

/** Where the core meets its adapters: each line is checked for its fit by the compiler. */
export const services = fp<Options>(
  async (app, options) => {
    app.decorate('services', createServices(app, options))
  },
  { name: 'services', dependencies: ['database', 'calendly', 'delivery', 'payments'] }
)

const beforeBookingMs = 5_000
const afterBookingMs = 3_000
/** What is remembered of an event type for longer must not be what a booking is refused by. */
const mostAgeToRefuseMs = 5_000

type Adapters = Pick<
  import('fastify').FastifyInstance,
  'database' | 'calendly' | 'calendlyKeySource' | 'delivery' | 'payments' | 'log'
>

function createServices(adapters: Adapters, options: Options) {
  const { database, calendly: client, calendlyKeySource, delivery, payments, log } = adapters
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
  const predecessors = createPredecessors({ transact, calendly })
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
  const paymentCheck = createPaymentCheck({ system, payments, reads: database.refundReads })
  const taking = {
    ...{ system, transact, reads, conflicts, claimRules, calendly: toBook },
    payments: paymentCheck
  }
  const holds = createHolds({ ...taking, offers })
  const conflictChecks = createConflictChecks({ system, reads, own, calendar, search, holds, calendly })
  const lookUp = createLookUp({ calendly, schedule })
  const outcomes = createOutcomes({ system, transact, facts, lookupsMs, calendly: toBook })
  const saga = createRescheduleSaga({ system, transact, facts, lookUp, calendly: toBook })
  const cancellations = createCancellations({
    ...{ system, transact, reads, lookupsMs, calendly },
    payments: paymentCheck
  })
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
  const { eventEndpoints: endpointReads, eventDeliveries, endpointSecrets } = database
  const dispatcher = createDispatcher({
    ...{ system, transact, vault, log },
    outbox: database.outbox,
    send: delivery.send,
    waitsMs: options.eventWaitsMs
  })
  const slots = createWebhookSlots({
    ...{ system, vault, log },
    slots: database.webhookSlots,
    environmentKeys: options.signingKeys
  })
  const inTurn = createTurns()
  const refundSubmission = createRefundSubmission({
    ...{ system, transact, inTurn, payments, log },
    absenceMs: schedule.absenceMs
  })
  const needsApproval = options.refundMode === 'approval'
  const stripeHints = createStripeHints({
    ...{ system, log },
    livemode: payments.isConfigured ? payments.livemode : undefined,
    secrets: options.stripe.webhookSecrets,
    verify: verifyStripeWebhook,
    hint: database.refundReads.hint
  })
  const subscription = createSubscriptions({
    system,
    reads: database.subscriptions,
    guardian:
      options.subscription &&
      createGuardian({
        ...{ ...options.subscription, system, transact, log },
        reads: database.subscriptions,
        slots: { ...slots, ...database.webhookSlots },
        calendly: client
      }),
    inTurn: createLease({ name: subscriptionLease, leases: database.leases, system, log }).runInTurn
  })
  const paymentTasks = createPaymentTasks({
    ...{ system, transact, payments, needsApproval, log },
    submit: refundSubmission.submit
  })
  const chargeLooks = createChargeLooks({
    ...{ system, transact, payments, log },
    reads: { ...database.refundReads, ...database.chargeLooks }
  })
  const comparing = {
    ...{ system, transact, intervalMs: options.reconciliationMs },
    reads: database.reconciliations
  }
  const isConnected = {
    calendly: () => client.health().keys.some(({ health }) => health !== 'invalid'),
    stripe: () => payments.isConfigured
  }

  return {
    eventTypeSettings,
    availability: {
      find: (...asked: Parameters<typeof availability.find>) => client.inTime(availability.find(...asked))
    },
    cancellations: createPaidCancellations({ cancellations, tasks: paymentTasks }),
    paymentTasks,
    conflictChecks,
    calendlyKeys,
    eventLog: createEventLog({ cursors, log: database.eventLog }),
    eventEndpoints: createEventEndpoints({
      ...{ system, transact, vault, cursors },
      reads: endpointReads,
      targets: delivery.targets
    }),
    endpointDeliveries: createEndpointDeliveries({
      ...{ system, vault, cursors },
      reads: endpointReads,
      deliveries: eventDeliveries,
      send: delivery.send,
      present: presentEventEndpoint
    }),
    dispatcher,
    endpointUpkeep: createEndpointUpkeep({ secrets: endpointSecrets, vault, log }),
    subscription,
    slots,
    stripeHints,
    refundSubmission,
    refunds: createRefunds({
      ...{ system, transact, inTurn, needsApproval, cursors },
      reads: database.refundReads,
      paidBookings: createPaidBookings({ system, payments, reads }),
      submission: refundSubmission
    }),
    refundApproval: createRefundApproval({
      ...{ system, transact },
      reads: database.refundReads,
      submission: refundSubmission
    }),
    stripeHealth: createStripeHealth({
      report: payments.report,
      lastWebhookAt: stripeHints.lastAt,
      warnings: stripeWarnings(options.stripe)
    }),
    refundPolicies: createRefundPolicies({ system, transact, reads: database.refundPolicies }),
    health: createHealth({
      system,
      database,
      calendly: client,
      keys: () => calendlyKeys.list({ tenantId: connectedTenant }),
      subscription: subscription.lastSeen,
      attempts: dispatcher.outcomes,
      version: options.version
    }),
    integrity: createIntegrity({
      system,
      count: database.countViolations,
      schedule: {
        ...schedule,
        sweepMs: options.sweepMs,
        retentionMs: options.retentionMs,
        subscriptionCheckMs: options.subscription && options.subscriptionCheckMs,
        hasStripe: payments.isConfigured
      }
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
    reconciliations: createReconciliations({
      ...{ system, cursors, transact },
      reads: database.reconciliations,
      isConnected: (kind) => isConnected[kind]()
    }),
    reconcilers: {
      calendly: createReconciliationQueue({
        ...{ ...comparing, kind: 'calendly', isConnected: isConnected.calendly },
        run: createReconciliationRun({
          ...{ system, transact, facts, log },
          reads: database.knownSeats,
          calendly: client
        })
      }),
      stripe: createReconciliationQueue({
        ...{ ...comparing, kind: 'stripe', isConnected: isConnected.stripe },
        run: createStripeReconciliation({
          ...{ system, transact, payments, log },
          reads: database.chargeLooks,
          looks: chargeLooks
        })
      })
    },
    chargeLooks,
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
    inbox: createInbox({ system, facts, predecessors, transact, read: readDelivery, calendly, log }),
    stalePulls: createStalePulls({
      ...{ system, facts, predecessors, transact, log },
      read: readDelivery,
      calendly: { ...client, ...client.unhurried }
    }),
    webhookDeliveries: createWebhookDeliveries({
      system,
      cursors,
      transact,
      reads: database.webhookDeliveries
    }),
    deliveries: createDeliveries({
      system,
      recipient: slots.recipient,
      toleranceMs: options.toleranceMs,
      verify: verifySignature,
      outline: outlineDelivery,
      inbox: database.inbox
    })
  }
}

export type Services = ReturnType<typeof createServices>

/** A key of its own for each purpose. */
function derive(key: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', purpose, 32))
}
