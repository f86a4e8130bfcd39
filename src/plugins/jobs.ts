import fp from 'fastify-plugin'
import { type ReconciliationKind, reconciliationLeases } from '../core/reconciliation.ts'
import { pullLease } from '../core/stale-pulls.ts'
import { subscriptionLease } from '../core/subscription.ts'
import type { System } from '../core/system.ts'
import { every } from '../jobs/every.ts'
import { startWorker } from '../jobs/worker.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Tells the inbox that a delivery has been kept. */
    pokeInbox: () => void
    /** Tells that a reconciliation has been asked for. */
    pokeReconciliation: (kind: ReconciliationKind) => void
    /** Tells that a charge is due to be read. */
    pokeLooks: () => void
    /** Tells the dispatcher that there is something to send. */
    pokeDispatcher: () => void
  }
}

type Options = {
  system: System
  sweepMs: number
  subscriptionCheckMs: number
}

/** How soon every replica follows a change of the Calendly keys that it has not been told of. */
const clientUpkeepMs = 2_000
/** How long each worker of the inbox leaves the processor to a rush of deliveries, before it takes one all the same. */
const rushPauseMs = 500
/** How often every replica counts what must not be, for its metrics. */
const integrityMs = 300_000

/** The work nobody asked for. Starts when the service is ready, stops before what it uses is closed. */
export const jobs = fp<Options>(
  async (app, { system, sweepMs, subscriptionCheckMs }) => {
    const { services, database, calendly, log } = app
    const { inbox, resolution, calendlyKeys, subscription } = services
    const stops: (() => Promise<void>)[] = []
    let poke = () => {}
    app.decorate('pokeInbox', () => poke())
    let pokeReconciliation = (_kind: ReconciliationKind) => {}
    app.decorate('pokeReconciliation', (kind) => pokeReconciliation(kind))
    let pokeLooks = () => {}
    app.decorate('pokeLooks', () => pokeLooks())
    let pokeDispatcher = () => {}
    app.decorate('pokeDispatcher', () => pokeDispatcher())

    app.addHook('onReady', async () => {
      const common = { system, log }
      const worker = startWorker({
        ...common,
        name: 'inbox',
        work: async () => {
          if (database.inbox.isRushed()) await system.sleep(rushPauseMs)
          return inbox.processNext()
        },
        intervalMs: Math.min(1_000, sweepMs),
        // The embedded engine has one connection.
        concurrency: database.kind === 'embedded' ? 1 : 4
      })
      poke = worker.poke
      const resolver = startWorker({
        ...common,
        name: 'resolver',
        work: resolution.resolveNext,
        intervalMs: Math.min(1_000, sweepMs),
        concurrency: 2
      })
      const puller = every({
        ...common,
        name: pullLease,
        intervalMs: sweepMs,
        leases: database.leases,
        run: services.stalePulls.work
      })
      const sweeper = every({
        ...common,
        name: 'sweeper',
        intervalMs: sweepMs,
        leases: database.leases,
        run: database.sweep
      })
      // On every replica: each has a client of its own. Keys are followed also while Calendly keeps upkeep waiting.
      const follower = startWorker({
        ...common,
        name: 'followed calendly keys',
        work: () => calendly.syncKeys().then(() => false),
        intervalMs: clientUpkeepMs
      })
      const upkeep = startWorker({
        ...common,
        name: 'calendly client',
        work: () => calendly.maintain().then(() => false),
        intervalMs: clientUpkeepMs
      })
      const keyUpkeep = every({
        ...common,
        name: 'calendly keys',
        intervalMs: sweepMs,
        leases: database.leases,
        run: calendlyKeys.maintain
      })
      const secretUpkeep = every({
        ...common,
        name: 'event endpoint secrets',
        intervalMs: sweepMs,
        leases: database.leases,
        run: services.endpointUpkeep.maintain
      })
      for (const { stop } of [worker, resolver, puller, sweeper, follower, upkeep, keyUpkeep, secretUpkeep])
        stops.push(stop)
      const reconcile = (kind: ReconciliationKind) =>
        every({
          ...common,
          name: reconciliationLeases[kind],
          intervalMs: sweepMs,
          leases: database.leases,
          run: services.reconcilers[kind].work
        })
      const reconcilers = { calendly: reconcile('calendly'), stripe: reconcile('stripe') }
      if (services.chargeLooks.isOfUse) {
        const refunder = startWorker({
          ...common,
          name: 'refunds',
          work: services.refundSubmission.workNext,
          intervalMs: Math.min(1_000, sweepMs),
          // They wait for Stripe most of the time.
          concurrency: 4
        })
        stops.push(refunder.stop)
        const looker = startWorker({
          ...common,
          name: 'charges',
          work: services.chargeLooks.lookNext,
          intervalMs: Math.min(1_000, sweepMs),
          concurrency: 2
        })
        pokeLooks = looker.poke
        stops.push(looker.stop)
      }
      const integrityCheck = every({
        ...common,
        name: 'integrity',
        intervalMs: integrityMs,
        leases: database.leases,
        run: services.integrity.refresh
      })
      stops.push(integrityCheck.stop)
      pokeReconciliation = (kind) => reconcilers[kind].poke()
      const dispatcher = startWorker({
        ...common,
        name: 'dispatcher',
        work: () => services.dispatcher.dispatch(app.pokeDispatcher),
        intervalMs: Math.min(1_000, sweepMs)
      })
      pokeDispatcher = dispatcher.poke
      const placer = startWorker({
        ...common,
        name: 'event log',
        work: () => database.eventLog.advance().then(() => false),
        intervalMs: Math.min(1_000, sweepMs)
      })
      database.onEventsWritten(placer.poke)
      database.eventLog.onPlaced(dispatcher.poke)
      stops.push(placer.stop)
      stops.push(() => dispatcher.stop().then(services.dispatcher.finish))
      stops.push(reconcilers.calendly.stop, reconcilers.stripe.stop)
      const payer = startWorker({
        ...common,
        name: 'payments',
        work: services.paymentTasks.workNext,
        intervalMs: Math.min(1_000, sweepMs),
        // They wait for Stripe most of the time.
        concurrency: 4
      })
      database.onPaymentTasksWritten(payer.poke)
      stops.push(payer.stop)
      const slotUpkeep = every({
        ...common,
        name: 'webhook slots',
        intervalMs: sweepMs,
        leases: database.leases,
        run: services.slots.maintain
      })
      stops.push(slotUpkeep.stop)
      if (subscription.isKept) {
        const guardian = every({
          ...common,
          name: subscriptionLease,
          intervalMs: subscriptionCheckMs,
          leases: database.leases,
          run: subscription.check
        })
        stops.push(guardian.stop)
      }
    })
    app.addHook('onClose', async () => {
      await Promise.all(stops.map((stop) => stop()))
    })
  },
  { name: 'jobs', dependencies: ['services'] }
)
