import type { StripeHealth } from '../core/stripe-health.ts'
import { type Family, inSeconds, oneOf } from './exposition.ts'

export type StripeReports = {
  stripe: StripeHealth
  /** Of Stripe, by this replica, by what became of them. */
  stripeWebhooks: Readonly<Record<string, number>>
}

const statuses = ['ok', 'degraded', 'down'] as const
const states = ['closed', 'open', 'half_open'] as const

/** How Stripe does, as this replica has found it. */
export const stripeMetrics: readonly Family<StripeReports>[] = [
  {
    name: 'stripe_status',
    type: 'gauge',
    help: 'How Stripe is.',
    read: ({ stripe }) => (stripe.status === undefined ? [] : oneOf('status', statuses, stripe.status))
  },
  {
    name: 'stripe_calls_total',
    type: 'counter',
    help: 'Requests to Stripe.',
    read: ({ stripe }) => stripe.calls.map(({ count, ...labels }) => [count, labels])
  },
  {
    name: 'stripe_breaker_state',
    type: 'gauge',
    help: 'Whether Stripe is asked at all.',
    read: ({ stripe }) =>
      stripe.breakers.flatMap(({ name: breaker, state }) =>
        states.map((each) => [Number(each === state), { breaker, state: each }] as const)
      )
  },
  {
    name: 'stripe_webhooks_total',
    type: 'counter',
    help: 'Webhooks of Stripe.',
    read: ({ stripeWebhooks }) => Object.entries(stripeWebhooks).map(([result, n]) => [n, { result }])
  },
  {
    name: 'stripe_webhook_last_received_timestamp_seconds',
    type: 'gauge',
    help: 'When the latest genuine webhook of Stripe came.',
    read: ({ stripe }) => inSeconds(stripe.lastWebhookAt)
  }
]
