import { z } from 'zod'
import type { Health } from '../core/health.ts'
import { formatInstant } from '../core/instants.ts'
import { instantOut, optionalInstant } from './common.ts'

const inboxOut = z.object({
  waiting: z.int(),
  dead: z.int(),
  lag_seconds: z.number(),
  last_webhook_at: instantOut.nullable()
})

export const liveOut = z.object({ status: z.literal('ok') })
export const readyOut = z.object({ status: z.enum(['ok', 'unavailable']) })

export const healthOut = z.object({
  status: z.enum(['ok', 'degraded', 'down']),
  timestamp: instantOut,
  version: z.string().optional(),
  uptime_seconds: z.number().optional(),
  database: z.object({ engine: z.string(), status: z.enum(['ok', 'down']) }).optional(),
  queues: z.object({ inbox: inboxOut.nullable() }).optional()
})

export const calendlyHealthOut = z.object({
  status: z.enum(['ok', 'degraded', 'down']),
  timestamp: instantOut,
  keys: z.array(z.object({ name: z.string(), last_four: z.string(), health: z.string() })).optional(),
  requests: z
    .record(
      z.string(),
      z.object({ count: z.int(), errors: z.int(), p50: z.number(), p95: z.number(), p99: z.number() })
    )
    .optional(),
  last_webhook_at: instantOut.nullable().optional(),
  inbox_lag_seconds: z.number().nullable().optional(),
  oldest_unresolved_booking: instantOut.nullable().optional()
})

type ServiceState = Awaited<ReturnType<Health['service']>>
type CalendlyState = Awaited<ReturnType<Health['calendly']>>

/** Strangers learn the status, an admin the rest. */
export function presentHealth(state: ServiceState, now: number, isAdmin: boolean): z.input<typeof healthOut> {
  const { inbox, database } = state
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
          : null
      }
    })
  }
}

export function presentCalendlyHealth(
  { status, report, inbox, oldestUnresolvedAt }: CalendlyState,
  now: number,
  isAdmin: boolean
): z.input<typeof calendlyHealthOut> {
  return {
    status,
    timestamp: formatInstant(now),
    ...(isAdmin && {
      keys: report.keys.map(({ name, lastFour, health }) => ({ name, last_four: lastFour, health })),
      requests: { ...report.requests },
      last_webhook_at: optionalInstant(inbox?.lastReceivedAt),
      inbox_lag_seconds: inbox ? inbox.lagMs / 1000 : null,
      oldest_unresolved_booking: optionalInstant(oldestUnresolvedAt)
    })
  }
}
