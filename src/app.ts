import { readFileSync } from 'node:fs'
import Fastify, { type FastifyServerOptions, LogController } from 'fastify'
import type { Config } from './config.ts'
import { realSystem, type System } from './core/system.ts'
import { createVault } from './core/vault.ts'
import { authentication } from './plugins/authentication.ts'
import { bodies } from './plugins/bodies.ts'
import { calendly } from './plugins/calendly.ts'
import { database } from './plugins/database.ts'
import { type DeliveryOptions, delivery } from './plugins/delivery.ts'
import { idempotency } from './plugins/idempotency.ts'
import { jobs } from './plugins/jobs.ts'
import { load } from './plugins/load.ts'
import { metrics, metricsRoutes } from './plugins/metrics.ts'
import { openapi, openapiRoutes } from './plugins/openapi.ts'
import { payments } from './plugins/payments.ts'
import { addressErrors, problems } from './plugins/problems.ts'
import { rateLimit } from './plugins/rate-limit.ts'
import { requestIds, requests } from './plugins/requests.ts'
import { services } from './plugins/services.ts'
import { strictness } from './plugins/strictness.ts'
import { clientErrors, timeouts } from './plugins/timeouts.ts'
import { availabilityRoutes } from './routes/availability.ts'
import { bookingChangeRoutes } from './routes/booking-changes.ts'
import { bookingResolutionRoutes } from './routes/booking-resolution.ts'
import { bookingRoutes } from './routes/bookings.ts'
import { calendlyKeyRoutes } from './routes/calendly-keys.ts'
import { subscriptionRoutes } from './routes/calendly-subscription.ts'
import { callerKeyRoutes } from './routes/caller-keys.ts'
import { conflictRoutes } from './routes/conflicts.ts'
import { endpointDeliveryRoutes } from './routes/event-endpoint-deliveries.ts'
import { eventEndpointRoutes } from './routes/event-endpoints.ts'
import { eventTypeRoutes } from './routes/event-types.ts'
import { eventRoutes } from './routes/events.ts'
import { healthRoutes } from './routes/health.ts'
import { holdRoutes } from './routes/holds.ts'
import { integrityRoutes } from './routes/integrity.ts'
import { noShowRoutes } from './routes/no-shows.ts'
import { reconciliationRoutes } from './routes/reconciliations.ts'
import { refundPolicyRoutes } from './routes/refund-policies.ts'
import { refundRoutes } from './routes/refunds.ts'
import { schedulingLinkRoutes } from './routes/scheduling-links.ts'
import { stripeWebhookRoutes } from './routes/stripe-webhooks.ts'
import { timeZoneRoutes } from './routes/time-zones.ts'
import { webhookDeliveryRoutes } from './routes/webhook-deliveries.ts'
import { webhookRoutes } from './routes/webhooks.ts'
import type { Secrets } from './secrets.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

const dayMs = 86_400_000

type Options = {
  config: Config
  secrets: Secrets
  system?: System
  logger?: FastifyServerOptions['logger']
  /** Of the names of event endpoints; else DNS is asked. */
  lookup?: DeliveryOptions['lookup']
}

/** The whole service, not yet listening. Read from top to bottom, it is the table of contents. */
export async function buildApp({ config, secrets, system = realSystem, logger = false, lookup }: Options) {
  const { limits, schedules } = config
  const vault = createVault(secrets.encryptionKey, secrets.previousEncryptionKey)
  const app = Fastify({
    logger,
    ...timeouts,
    clientErrorHandler: clientErrors(system),
    frameworkErrors: addressErrors,
    bodyLimit: 256 * 1024,
    trustProxy: config.trustProxy,
    genReqId: requestIds(system),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    routerOptions: { maxParamLength: 500 },
    return503OnClosing: false,
    // A first start or a migration takes as long as it takes.
    pluginTimeout: 0
  })

  await app.register(requests)
  await app.register(problems)
  await app.register(bodies)
  await app.register(openapi, { version })
  await app.register(load, { maxInFlight: limits.maxInFlight })
  await app.register(rateLimit, { ...limits, redisUrl: config.redisUrl, system })

  const retentionMs = config.retentionDays * dayMs
  await app.register(database, { ...config.database, retentionMs, system })
  const keyPolicy = { maxUsage: config.calendly.maxUsagePerKey, maxAgeDays: config.calendly.keyMaxAgeDays }
  await app.register(calendly, {
    ...config.calendly,
    keyPolicy,
    userAgent: `calendly-gateway/${version}`,
    vault,
    system
  })
  await app.register(payments, { ...config.stripe, version, system })
  await app.register(delivery, {
    system,
    userAgent: `calendly-gateway/${version}`,
    isDevelopment: config.env === 'development',
    lookup
  })
  await app.register(services, {
    system,
    version,
    ...secrets,
    vault,
    keyPolicy,
    signingKeys: config.calendly.signingKeys,
    subscription: subscriptionOf(config),
    toleranceMs: config.calendly.webhookToleranceMs,
    schedule: {
      lookupsMs: schedules.bookingLookupMs,
      absenceMs: schedules.bookingAbsenceMs,
      attentionMs: schedules.bookingAttentionMs
    },
    stripe: config.stripe,
    refundMode: config.refundMode,
    reconciliationMs: schedules.reconciliationMs,
    eventWaitsMs: schedules.eventRetryMs,
    sweepMs: schedules.sweepMs,
    subscriptionCheckMs: schedules.subscriptionCheckMs,
    retentionMs
  })
  await app.register(jobs, {
    system,
    sweepMs: schedules.sweepMs,
    subscriptionCheckMs: schedules.subscriptionCheckMs
  })
  await app.register(metrics, { host: config.host, port: config.metricsPort })

  const { callers, idempotency: keys, health, stripeHealth, deliveries, ...core } = app.services
  await app.register(openapiRoutes)
  await app.register(async (guarded) => {
    await guarded.register(authentication, { callers, system })
    await guarded.register(healthRoutes, { prefix: '/api/health', health, stripeHealth, system })
    if (config.metricsPort === undefined) await guarded.register(metricsRoutes)
    await guarded.register(webhookRoutes, {
      prefix: '/api/webhooks',
      deliveries,
      onKept: app.pokeInbox,
      onForged: app.countForgery
    })
    await guarded.register(stripeWebhookRoutes, {
      prefix: '/api/webhooks',
      stripeHints: core.stripeHints,
      onHinted: app.pokeLooks,
      onForged: app.countForgery
    })
    await guarded.register(
      async (api) => {
        api.addHook('onRequest', async () => health.countRequest())
        api.addHook('onRequest', app.limitCaller)
        await api.register(strictness)
        await api.register(idempotency, { idempotency: keys })
        await api.register(eventTypeRoutes, core)
        await api.register(timeZoneRoutes, { system })
        await api.register(availabilityRoutes, core)
        await api.register(conflictRoutes, core)
        await api.register(bookingChangeRoutes, { ...core, system })
        await api.register(bookingResolutionRoutes, { ...core, system })
        await api.register(bookingRoutes, { ...core, system })
        await api.register(noShowRoutes, { ...core, system })
        await api.register(holdRoutes, core)
        await api.register(eventRoutes, core)
        await api.register(eventEndpointRoutes, core)
        await api.register(endpointDeliveryRoutes, { ...core, onQueued: app.pokeDispatcher })
        await api.register(calendlyKeyRoutes, core)
        await api.register(refundRoutes, core)
        await api.register(refundPolicyRoutes, core)
        await api.register(subscriptionRoutes, core)
        await api.register(callerKeyRoutes, { callers })
        await api.register(integrityRoutes, core)
        await api.register(webhookDeliveryRoutes, { ...core, onReplayed: app.pokeInbox })
        await api.register(reconciliationRoutes, { ...core, onRequested: app.pokeReconciliation })
        await api.register(schedulingLinkRoutes, core)
      },
      { prefix: '/api/v1' }
    )
  })
  return app
}

export type App = Awaited<ReturnType<typeof buildApp>>

/** A subscription is kept where Calendly can reach us and both know the key. */
function subscriptionOf({ publicUrl, calendly: { signingKeys } }: Config) {
  const [signingKey] = signingKeys
  if (publicUrl === undefined || signingKey === undefined) return undefined
  return { callbackUrl: `${publicUrl}/api/webhooks/calendly`, signingKey }
}
