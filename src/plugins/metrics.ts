import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import fp from 'fastify-plugin'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { AppError } from '../core/errors.ts'
import { isOperator } from '../core/health.ts'
import { renderFamilies } from './exposition.ts'
import { problems } from './problems.ts'
import { reportedMetrics } from './reported-metrics.ts'
import { timeouts } from './timeouts.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Every metric in Prometheus' text format. */
    scrape: () => Promise<string>
  }
}

type Options = {
  host: string
  /** Undefined: none of their own, so `metricsRoutes` belongs on the main port. */
  port: number | undefined
}

/** Measures every request, and tells it with what the service reports of itself. */
export const metrics = fp<Options>(
  async (app: FastifyInstance, { host, port }) => {
    const registry = new Registry()
    collectDefaultMetrics({ register: registry })
    measureRequests(app, registry)

    app.decorate('scrape', async () => {
      const { health } = app.services
      const [service, status, calendly, deliveries, refunds] = await Promise.all([
        health.service(false),
        health.calendlyStatus(),
        health.calendlyDetails(),
        health.deliveries(),
        health.refundTotals()
      ])
      const integrity = app.services.integrity.latest()
      const { subscription, chargeLooks, refundSubmission, stripeHints, stripeHealth } = app.services
      const counts = {
        checks: subscription.checks(),
        looks: chargeLooks.counts(),
        submissions: refundSubmission.counts(),
        stripeWebhooks: stripeHints.counts(),
        stripe: stripeHealth()
      }
      const reports = { service, status, calendly, deliveries, refunds, integrity, ...counts }
      return `${await registry.metrics()}\n${renderFamilies(reportedMetrics, reports)}`
    })
    if (port !== undefined) await listenApart(app, host, port)
  },
  { name: 'metrics', dependencies: ['load'] }
)

function measureRequests(app: FastifyInstance, registry: Registry): void {
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'How long requests took.',
    labelNames: ['method', 'route', 'status'],
    // Few, since each is a line for every route, method and class of status.
    buckets: [0.01, 0.05, 0.25, 1, 5],
    registers: [registry]
  })
  new Gauge({
    name: 'http_requests_in_flight',
    help: 'Requests being served.',
    registers: [registry],
    collect() {
      this.set(app.inFlight())
    }
  })
  app.addHook('onResponse', ({ method, routeOptions }, { statusCode, elapsedTime }, done) => {
    // The pattern: of addresses there is no end, and they name people.
    const labels = {
      method,
      route: routeOptions.url ?? 'unknown',
      status: `${Math.floor(statusCode / 100)}xx`
    }
    durations.observe(labels, elapsedTime / 1000)
    done()
  })
}

/** A listener with nothing else on it, open to whoever reaches it; a port that is taken fails the start. */
async function listenApart(app: FastifyInstance, host: string, port: number): Promise<void> {
  const own = Fastify({
    loggerInstance: app.log,
    logController: new LogController({ disableRequestLogging: true }),
    ...timeouts
  })
  await own.register(problems)
  own.get('/metrics', answer(app))
  app.addHook('onReady', async () => {
    await own.listen({ host, port, listenTextResolver: (address) => `Metrics at ${address}/metrics` })
  })
  app.addHook('onClose', () => own.close())
}

/** For the machine itself and for its operator. Limited like everything that takes caller keys, but never shed. */
export async function metricsRoutes(app: FastifyInstance): Promise<void> {
  app.get(
    '/metrics',
    { config: { scope: 'anyone', load: Number.POSITIVE_INFINITY }, schema: { hide: true }, onRequest: guard },
    answer(app)
  )
}

const answer = (app: FastifyInstance) => async (_request: FastifyRequest, reply: FastifyReply) =>
  reply.type(Registry.PROMETHEUS_CONTENT_TYPE).send(await app.scrape())

async function guard(request: FastifyRequest): Promise<void> {
  if (isFromHere(request) || isOperator(request.caller)) return
  if (!request.caller) throw new AppError('unauthenticated')
  throw new AppError('insufficient_scope', 'The caller key needs the scope admin, in the tenant default.')
}

/** Whoever forwards speaks for somebody else, who may write what he likes into its headers. */
function isFromHere({ headers, socket }: FastifyRequest): boolean {
  const isForwarded = Object.keys(headers).some((name) =>
    /^(x-forwarded-.*|forwarded|x-real-ip|via)$/.test(name)
  )
  return !isForwarded && /^(::1|(::ffff:)?127\.[\d.]+)$/.test(socket.remoteAddress ?? '')
}
