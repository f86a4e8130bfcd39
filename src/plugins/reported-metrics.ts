import type {
  CalendlyDetails,
  CalendlyHealth,
  DeliveryReport,
  KeyReport,
  QuotaReport,
  ServiceReport
} from '../core/health.ts'
import type { IntegrityReport } from '../core/integrity.ts'
import { type Family, inSeconds, labelled, oneOf, type Sample } from './exposition.ts'
import { type RefundReports, refundMetrics } from './refund-metrics.ts'
import { type StripeReports, stripeMetrics } from './stripe-metrics.ts'

export type Reports = RefundReports &
  StripeReports & {
    service: ServiceReport
    status: CalendlyHealth
    calendly: CalendlyDetails
    deliveries: DeliveryReport
    /** Undefined until this replica has looked. */
    integrity: IntegrityReport | undefined
    /** Of the webhook subscription, by this replica. */
    checks: Readonly<Record<'done' | 'failed', number>>
  }

type Read = Family<Reports>['read']
const counter = (name: string, help: string, read: Read) => ({ name, type: 'counter' as const, help, read })
const gauge = (name: string, help: string, read: Read) => ({ name, type: 'gauge' as const, help, read })

/** What the service and its client count anyway, and the names under which it is told. */
export const reportedMetrics: readonly Family<Reports>[] = [
  gauge('gateway_info', 'The version that runs; always 1.', ({ service }) => [
    [1, { version: service.version }]
  ]),
  gauge('database_up', 'Whether the database answers.', ({ service }) =>
    Number(service.database.isReachable)
  ),

  gauge('webhook_inbox_waiting', 'Deliveries not yet applied.', ({ calendly }) => calendly.inbox?.waiting),
  gauge('webhook_inbox_dead', 'Deliveries given up.', ({ calendly }) => calendly.inbox?.dead),
  gauge('webhook_inbox_lag_seconds', 'Age of the oldest delivery not yet applied.', ({ calendly }) =>
    inSeconds(calendly.inbox?.lagMs)
  ),
  gauge('webhook_last_received_timestamp_seconds', 'When the latest delivery came.', ({ calendly }) =>
    inSeconds(calendly.inbox?.lastReceivedAt)
  ),
  counter('events_total', 'Events written into the log.', ({ deliveries: { log } }) => log?.written),
  gauge(
    'event_log_waiting',
    'Those of them without a place in it.',
    ({ deliveries: { log } }) => log?.waiting
  ),
  gauge(
    'event_log_waiting_since_timestamp_seconds',
    'When the oldest of those happened.',
    ({ deliveries: { log } }) => inSeconds(log?.waitingSince)
  ),
  counter('event_delivery_attempts_total', 'Attempts to tell an endpoint of an event.', ({ deliveries }) =>
    Object.entries(deliveries.attempts).map(([outcome, n]) => [n, { outcome }])
  ),
  gauge(
    'event_deliveries_pending',
    'Events that endpoints are still to be told of.',
    ({ deliveries: { outbox } }) => outbox?.pending
  ),
  gauge('event_deliveries_dead', 'Those given up.', ({ deliveries: { outbox } }) => outbox?.dead),
  gauge(
    'event_deliveries_lag_seconds',
    'How late the attempt is that should have been made first.',
    ({ deliveries: { outbox } }) => inSeconds(outbox?.lagMs)
  ),
  gauge(
    'event_deliveries_oldest_timestamp_seconds',
    'When the oldest event happened that an endpoint is still to be told of.',
    ({ deliveries: { outbox } }) => inSeconds(outbox?.oldestPendingAt)
  ),
  gauge('event_endpoints', 'Endpoints by status.', ({ deliveries: { outbox } }) =>
    Object.entries(outbox?.endpoints ?? {}).map(([status, n]) => [n, { status }])
  ),
  gauge(
    'booking_unresolved_since_timestamp_seconds',
    'Since when the oldest booking or change in doubt is.',
    ({ calendly }) => inSeconds(calendly.oldestUnresolvedAt)
  ),
  counter(
    'booking_overlaps_total',
    'Bookings that Calendly reported over another one of the same host.',
    ({ calendly }) => calendly.incidents?.bookingOverlaps
  ),
  counter(
    'booking_second_posts_total',
    'Bookings sent to Calendly once more after a proven absence.',
    ({ calendly }) => calendly.incidents?.secondPosts
  ),
  counter(
    'holds_lost_total',
    'Holds that ended because Calendly gave their time to somebody else.',
    ({ calendly }) => calendly.incidents?.holdsLost
  ),

  ...refundMetrics,
  ...stripeMetrics,

  counter('reconciliations_total', 'Comparisons with Calendly and Stripe that ended.', ({ calendly }) =>
    calendly.reconciliations?.runs.map(({ kind, trigger, status, count }) => [
      count,
      { kind, trigger, status }
    ])
  ),
  counter('reconciliation_differences_total', 'What these comparisons found to differ.', ({ calendly }) =>
    calendly.reconciliations?.differences.map(({ kind, found }) => [found, { kind }])
  ),
  counter('reconciliation_repairs_total', 'What of it they repaired.', ({ calendly }) =>
    calendly.reconciliations?.differences.map(({ kind, repaired }) => [repaired, { kind }])
  ),
  gauge(
    'reconciliation_last_success_timestamp_seconds',
    'When the latest comparison of the kind came to its end.',
    ({ calendly }) =>
      Object.entries(calendly.reconciliations?.lastSuccessAt ?? {}).map(([kind, at]) => [
        inSeconds(at),
        { kind }
      ])
  ),

  gauge('integrity_violations', 'How often an invariant is broken, when last counted.', ({ integrity }) =>
    integrity?.findings.map(({ name, violations }) => [violations, { invariant: name }])
  ),
  gauge('integrity_checked_timestamp_seconds', 'When this replica last counted that.', ({ integrity }) =>
    inSeconds(integrity?.checkedAt)
  ),

  gauge('calendly_status', '1 for how Calendly is.', ({ status }) =>
    oneOf('status', ['ok', 'degraded', 'down'], status)
  ),
  gauge(
    'calendly_failures_in_a_row',
    'Calls that failed since one did not.',
    ({ calendly }) => calendly.report.failuresInARow
  ),
  gauge(
    'calendly_calls_per_request',
    'Exchanges with Calendly per request to /api/v1.',
    ({ calendly }) => calendly.callsPerRequest
  ),
  gauge('calendly_breaker_state', '1 for the state of the breaker.', ({ calendly }) =>
    calendly.report.breakers.flatMap(({ name, state }) =>
      labelled({ breaker: name }, oneOf('state', ['closed', 'open', 'half_open'], state))
    )
  ),

  counter(
    'calendly_calls_total',
    'Exchanges with Calendly.',
    perEndpoint(({ count }) => [[count]])
  ),
  counter(
    'calendly_call_retries_total',
    'Exchanges that repeated another.',
    perEndpoint(({ retries }) => [[retries]])
  ),
  counter(
    'calendly_call_errors_total',
    'Exchanges that went wrong.',
    perEndpoint(({ errorsByClass }) => Object.entries(errorsByClass).map(([name, n]) => [n, { class: name }]))
  ),
  {
    name: 'calendly_call_duration_seconds',
    type: 'summary',
    help: 'How long exchanges with Calendly took.',
    read: perEndpoint(({ p50, p95, p99, totalMs, count }) => [
      [inSeconds(p50), { quantile: 0.5 }],
      [inSeconds(p95), { quantile: 0.95 }],
      [inSeconds(p99), { quantile: 0.99 }],
      [inSeconds(totalMs), {}, '_sum'],
      [count, {}, '_count']
    ])
  },

  gauge('calendly_cache_entries', 'Answers kept in memory.', ({ calendly }) => calendly.report.cache.entries),
  gauge(
    'calendly_cache_bytes',
    'Size of the answers kept, about.',
    ({ calendly }) => calendly.report.cache.bytes
  ),
  counter(
    'calendly_cache_evictions_total',
    'Answers that had to make room.',
    ({ calendly }) => calendly.report.cache.evicted
  ),
  counter('calendly_cache_lookups_total', 'Asks of the cache, by what was found.', ({ calendly }) =>
    Object.entries(calendly.report.cache.kinds).flatMap(([kind, found]) =>
      Object.entries(found).map(([result, n]) => [n, { kind, result }] as const)
    )
  ),

  gauge(
    'calendly_quota_limit',
    'Calls a minute that Calendly allows.',
    perUser(({ limit }) => [[limit]])
  ),
  gauge(
    'calendly_quota_remaining',
    'Calls left in the minute.',
    perUser(({ remaining }) => [[remaining]])
  ),
  gauge(
    'calendly_quota_reset_timestamp_seconds',
    'When the minute ends.',
    perUser(({ resetAt }) => [[inSeconds(resetAt)]])
  ),
  gauge(
    'calendly_booking_quota_limit',
    'Bookings allowed in the window.',
    perWindow(({ limit }) => limit)
  ),
  gauge(
    'calendly_booking_quota_used',
    'Bookings sent in the window.',
    perWindow(({ used }) => used)
  ),
  gauge(
    'calendly_booking_quota_next_free_timestamp_seconds',
    'When the next booking can be sent.',
    perWindow(({ nextFreeAt }) => inSeconds(nextFreeAt))
  ),
  gauge(
    'calendly_booking_quota_runs_out_timestamp_seconds',
    'When the window is used up at the present rate.',
    perWindow(({ runsOutAt }) => inSeconds(runsOutAt))
  ),

  gauge(
    'calendly_key_state',
    '1 for the state of the key.',
    perKey(({ state }) =>
      state === undefined ? [] : oneOf('state', ['pending', 'active', 'expiring', 'retiring'], state)
    )
  ),
  gauge(
    'calendly_key_health',
    '1 for the health of the key.',
    perKey(({ health }) => oneOf('health', ['ok', 'cooling', 'invalid'], health))
  ),
  gauge(
    'calendly_key_created_timestamp_seconds',
    'When the key was added.',
    perKey(({ createdAt }) => [[inSeconds(createdAt)]])
  ),
  counter(
    'calendly_key_calls_total',
    'Calls made with the key.',
    perKey(({ usageCount }) => [[usageCount]])
  ),
  gauge(
    'calendly_key_calls_limit',
    'Calls after which to replace it.',
    perKey(({ usageLimit }) => [[usageLimit]])
  ),

  gauge(
    'calendly_subscription_state',
    '1 for the state of our webhook subscription.',
    ({ calendly: { subscription } }) =>
      subscription ? oneOf('state', ['active', 'disabled', 'missing'], subscription.state) : []
  ),
  gauge(
    'calendly_subscription_retry_started_timestamp_seconds',
    'Since when deliveries fail.',
    ({ calendly }) => inSeconds(calendly.subscription?.retryStartedAt)
  ),
  gauge(
    'calendly_subscription_missed_since_timestamp_seconds',
    'Since when webhooks may have been lost.',
    ({ calendly }) => inSeconds(calendly.subscription?.missedSince)
  ),
  gauge(
    'calendly_subscription_checked_timestamp_seconds',
    'When any replica last looked for it.',
    ({ calendly }) => inSeconds(calendly.subscription?.checkedAt)
  ),
  counter('calendly_subscription_checks_total', 'Looks for it.', ({ checks }) =>
    Object.entries(checks).map(([result, count]) => [count, { result }])
  )
]

type EndpointReport = CalendlyDetails['report']['requests'][string]

function perEndpoint(read: (endpoint: EndpointReport) => readonly Sample[]): Read {
  return ({ calendly }) =>
    Object.entries(calendly.report.requests).flatMap(([endpoint, report]) =>
      labelled({ endpoint }, read(report))
    )
}

/** Named by the last segment of the URI, which is the same at whatever address Calendly is reached. */
function perUser(read: (user: QuotaReport) => readonly Sample[]): Read {
  return ({ calendly: { quotas = [] } }) =>
    quotas.flatMap((quota) => labelled({ user: quota.user.split('/').at(-1) ?? '' }, read(quota)))
}

function perWindow(read: (window: QuotaReport['bookings'][number]) => number | undefined): Read {
  return perUser(({ bookings }) =>
    bookings.map((window) => [read(window), { window_seconds: window.windowMs / 1000 }])
  )
}

function perKey(read: (key: KeyReport) => readonly Sample[]): Read {
  return ({ calendly }) => calendly.keys.flatMap((key) => labelled({ key: key.name }, read(key)))
}
