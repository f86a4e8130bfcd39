import { z } from 'zod'
import type {
  CalendlyDetails,
  CalendlyHealth,
  KeyReport,
  QuotaReport,
  ServiceReport
} from '../core/health.ts'
import { formatInstant } from '../core/instants.ts'
import type { StripeHealth } from '../core/stripe-health.ts'
import { instantOut, optionalInstant } from './common.ts'
import { presentStripeHealth, stripeHealthOut } from './stripe-health.ts'

const inboxOut = z.object({
  waiting: z.int(),
  dead: z.int(),
  lag_seconds: z.number(),
  last_webhook_at: instantOut.nullable()
})

const outboxOut = z.object({
  pending: z.int(),
  dead: z.int(),
  lag_seconds: z.number(),
  oldest_pending_at: instantOut.nullable()
})

export const liveOut = z.object({ status: z.literal('ok') })
export const readyOut = z.object({ status: z.enum(['ok', 'unavailable']) })

export const healthOut = z.object({
  status: z.enum(['ok', 'degraded', 'down']),
  timestamp: instantOut,
  version: z.string().optional(),
  uptime_seconds: z.number().optional(),
  database: z.object({ engine: z.string(), status: z.enum(['ok', 'down']) }).optional(),
  queues: z.object({ inbox: inboxOut.nullable(), outbox: outboxOut.nullable() }).optional(),
  stripe: stripeHealthOut.optional()
})

const keyOut = z.object({
  name: z.string(),
  last_four: z.string(),
  health: z.enum(['ok', 'cooling', 'invalid']),
  state: z.enum(['pending', 'active', 'expiring', 'retiring', 'revoked']).optional(),
  priority: z.int().optional(),
  age_days: z.number().optional(),
  usage_count: z.int().optional(),
  usage_limit: z.int().optional(),
  quota: z
    .object({ limit: z.int().nullable(), remaining: z.int().nullable(), reset_at: instantOut.nullable() })
    .nullable()
    .optional()
})

const breakerOut = z.object({
  name: z.enum(['reads', 'writes']),
  state: z.enum(['closed', 'open', 'half_open']),
  retry_at: instantOut.nullable()
})

const cacheOut = z.object({
  entries: z.int(),
  bytes: z.int(),
  evicted: z.int(),
  kinds: z.record(
    z.string(),
    z.object({ hits: z.int(), stale: z.int(), misses: z.int(), coalesced: z.int(), negative: z.int() })
  )
})

const subscriptionOut = z.object({
  state: z.enum(['active', 'disabled', 'missing']),
  callback_url: z.string(),
  retry_started_at: instantOut.nullable(),
  checked_at: instantOut
})

const endpointOut = z.object({
  count: z.int(),
  errors: z.int(),
  errors_by_class: z.record(z.string(), z.int()),
  retries: z.int(),
  p50: z.number(),
  p95: z.number(),
  p99: z.number()
})

const bookingQuotaOut = z.object({
  user: z.string(),
  limit: z.int(),
  window_seconds: z.number(),
  used: z.int(),
  next_free_at: instantOut.nullable(),
  runs_out_at: instantOut.nullable().meta({ description: 'When it is used up at the present rate' })
})

export const calendlyHealthOut = z.object({
  status: z.enum(['ok', 'degraded', 'down']),
  timestamp: instantOut,
  keys: z.array(keyOut).optional(),
  breakers: z.array(breakerOut).optional(),
  cache: cacheOut.optional(),
  subscription: subscriptionOut.nullable().optional(),
  last_webhook_at: instantOut.nullable().optional(),
  inbox_lag_seconds: z.number().nullable().optional(),
  oldest_unresolved_booking: instantOut.nullable().optional(),
  requests: z.record(z.string(), endpointOut).optional().meta({ description: 'By endpoint; milliseconds' }),
  upstream_calls_per_request: z.number().optional(),
  booking_quota: z.array(bookingQuotaOut).nullable().optional()
})

/** Strangers learn the status, an admin the rest. */
export function presentHealth(
  state: ServiceReport,
  stripe: StripeHealth,
  now: number,
  isAdmin: boolean
): z.input<typeof healthOut> {
  const { inbox, outbox, database } = state
  return {
    status: state.isOk ? 'ok' : 'down',
    timestamp: formatInstant(now),
    ...(isAdmin && {
      version: state.version,
      uptime_seconds: Math.round(state.uptimeMs / 1000),
      database: { engine: database.engine, status: database.isReachable ? 'ok' : 'down' },
      queues: {
        inbox: inbox
          ? {
              waiting: inbox.waiting,
              dead: inbox.dead,
              lag_seconds: inbox.lagMs / 1000,
              last_webhook_at: optionalInstant(inbox.lastReceivedAt)
            }
          : null,
        outbox: outbox
          ? {
              pending: outbox.pending,
              dead: outbox.dead,
              lag_seconds: outbox.lagMs / 1000,
              oldest_pending_at: optionalInstant(outbox.oldestPendingAt)
            }
          : null
      },
      stripe: presentStripeHealth(stripe)
    })
  }
}

export function presentCalendlyHealth(
  status: CalendlyHealth,
  now: number,
  details?: CalendlyDetails
): z.input<typeof calendlyHealthOut> {
  return { status, timestamp: formatInstant(now), ...(details && presentDetails(details)) }
}

function presentDetails({ report, subscription, quotas, inbox, ...details }: CalendlyDetails) {
  return {
    keys: details.keys.map(presentKey),
    breakers: report.breakers.map(({ name, state, retryAt }) => ({
      name,
      state,
      retry_at: optionalInstant(retryAt)
    })),
    cache: { ...report.cache, kinds: { ...report.cache.kinds } },
    subscription: subscription
      ? {
          state: subscription.state,
          callback_url: subscription.callbackUrl,
          retry_started_at: optionalInstant(subscription.retryStartedAt),
          checked_at: formatInstant(subscription.checkedAt)
        }
      : null,
    last_webhook_at: optionalInstant(inbox?.lastReceivedAt),
    inbox_lag_seconds: inbox ? inbox.lagMs / 1000 : null,
    oldest_unresolved_booking: optionalInstant(details.oldestUnresolvedAt),
    requests: Object.fromEntries(
      Object.entries(report.requests).map(([endpoint, { errorsByClass, totalMs: _, ...figures }]) => [
        endpoint,
        { ...figures, errors_by_class: { ...errorsByClass } }
      ])
    ),
    upstream_calls_per_request: details.callsPerRequest,
    booking_quota: quotas?.flatMap(presentBookingQuota) ?? null
  }
}

function presentKey({ name, lastFour, health, quota, ...known }: KeyReport): z.input<typeof keyOut> {
  return {
    name,
    last_four: lastFour,
    health,
    state: known.state,
    priority: known.priority,
    age_days: known.ageDays,
    usage_count: known.usageCount,
    usage_limit: known.usageLimit,
    quota: quota && {
      limit: quota.limit ?? null,
      remaining: quota.remaining ?? null,
      reset_at: optionalInstant(quota.resetAt)
    }
  }
}

const presentBookingQuota = ({ user, bookings }: QuotaReport): z.input<typeof bookingQuotaOut>[] =>
  bookings.map(({ limit, windowMs, used, nextFreeAt, runsOutAt }) => ({
    user,
    limit,
    window_seconds: windowMs / 1000,
    used,
    next_free_at: optionalInstant(nextFreeAt),
    runs_out_at: optionalInstant(runsOutAt)
  }))
