import fp from 'fastify-plugin'
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
  subscriptionCheckMs: number
}

/** How soon every replica follows a change of the Calendly keys that it has not been told of. */
const clientUpkeepMs = 2_000

/** The work nobody asked for. Starts when the service is ready, stops before what it uses is closed. */
export const jobs = fp<Options>(
  async (app, { system, sweepMs, subscriptionCheckMs }) => {
    const { services, database, calendly, log } = app
    const { inbox, resolution, calendlyKeys, subscription } = services
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
      for (const { stop } of [worker, resolver, puller, sweeper, follower, upkeep, keyUpkeep])
        stops.push(stop)
      if (subscription) {
        const guardian = every({
          ...common,
          name: 'subscription',
          intervalMs: subscriptionCheckMs,
          leases: database.leases,
          run: subscription.ensure
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
