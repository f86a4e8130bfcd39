import type { StripeKeyKind } from './stripe-key.ts'

/** A kind of request to Stripe. */
export type StripeEndpoint = 'charge' | 'payment_intent' | 'disputes' | 'refund' | 'refunds' | 'create_refund'

/** `refused` asked for what Stripe does not have or do; `failed` says that Stripe was not of use. */
export type StripeCallOutcome =
  | 'answered'
  | 'refused'
  | 'unauthenticated'
  | 'forbidden'
  | 'rate_limited'
  | 'failed'

/** What the client of Stripe knows of itself, without asking anybody; counted since it was opened. */
export type StripeReport = {
  isConfigured: boolean
  livemode: boolean
  key: StripeKeyKind
  apiVersion: string
  /** Undefined where nothing is configured. */
  status: 'ok' | 'degraded' | 'down' | undefined
  breakers: readonly { name: 'reads' | 'refunds'; state: 'closed' | 'open' | 'half_open' }[]
  calls: readonly { endpoint: StripeEndpoint; outcome: StripeCallOutcome; count: number }[]
  /** What the key was refused when it was last tried. */
  refusals: readonly { endpoint: StripeEndpoint; outcome: 'unauthenticated' | 'forbidden' }[]
}

type Deps = {
  report: () => StripeReport
  /** When the latest genuine webhook came; epoch milliseconds. */
  lastWebhookAt: () => number | undefined
  /** Of the configuration. */
  warnings: readonly string[]
}

/** How Stripe is, as this process has found it. Nothing here asks Stripe. */
export function createStripeHealth({ report, lastWebhookAt, warnings }: Deps) {
  return () => {
    const found = report()
    return {
      ...found,
      lastWebhookAt: lastWebhookAt(),
      warnings: [...warnings, ...found.refusals.map(({ endpoint, outcome }) => inWords(endpoint, outcome))]
    }
  }
}

export type StripeHealth = ReturnType<ReturnType<typeof createStripeHealth>>

const needed: Readonly<Record<StripeEndpoint, string>> = {
  charge: 'charges: read',
  payment_intent: 'payment intents: read',
  disputes: 'disputes: read',
  refund: 'refunds: read',
  refunds: 'refunds: read',
  create_refund: 'refunds: write'
}

const inWords = (endpoint: StripeEndpoint, outcome: 'unauthenticated' | 'forbidden') =>
  outcome === 'unauthenticated'
    ? 'Stripe does not accept STRIPE_SECRET_KEY.'
    : `STRIPE_SECRET_KEY lacks a permission (${needed[endpoint]}).`
