import fp from 'fastify-plugin'
import { createSubscription } from '../core/subscription.ts'
import type { System } from '../core/system.ts'
import { every } from '../jobs/every.ts'
import { startWorker } from '../jobs/worker.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Tells the inbox that a delivery has been kept. */
    pokeInbox: () => void
  }
}

type Options = {
  system: System
  sweepMs: number
  subscription?: { callbackUrl: string; signingKey: string; checkMs: number } | undefined
}

/** The work nobody asked for. Starts when the service is ready, stops before what it uses is closed. */
export const jobs = fp<Options>(
  async (app, { system, sweepMs, subscription }) => {
    const { services, database, calendly, log } = app
    const { inbox, resolution } = services
    const stops: (() => Promise<void>)[] = []
    let poke = () => {}
    app.decorate('pokeInbox', () => poke())

    app.addHook('onReady', async () => {
      const common = { system, log }
      const worker = startWorker({
        ...common,
        name: 'inbox',
        work: inbox.processNext,
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
      const puller = startWorker({
        ...common,
        name: 'stale deliveries',
        work: inbox.pullNext,
        intervalMs: sweepMs
      })
      const sweeper = every({
        ...common,
        name: 'sweeper',
        intervalMs: sweepMs,
        leases: database.leases,
        run: database.sweep
      })
      stops.push(worker.stop, resolver.stop, puller.stop, sweeper.stop)
      if (subscription) {
        const { ensure } = createSubscription({ ...subscription, calendly, log })
        const guardian = every({
          ...common,
          name: 'subscription',
          intervalMs: subscription.checkMs,
          leases: database.leases,
          run: ensure
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
