export type StripeKeyKind = 'restricted' | 'full' | 'none'

/** What a secret key of Stripe's says of itself: how much it may do, and in which mode. */
export function describeStripeKey(secretKey: string | undefined): {
  kind: StripeKeyKind
  livemode: boolean
} {
  if (secretKey === undefined) return { kind: 'none', livemode: false }
  return { kind: secretKey.startsWith('rk_') ? 'restricted' : 'full', livemode: /^.k_live_/.test(secretKey) }
}

/** What an operator should see to; none of it keeps the service from working. */
export function stripeWarnings({
  secretKey,
  webhookSecrets
}: {
  secretKey?: string | undefined
  webhookSecrets: readonly string[]
}): string[] {
  const { kind, livemode } = describeStripeKey(secretKey)
  const warnings = []
  if (kind === 'full' && livemode) {
    warnings.push(
      'STRIPE_SECRET_KEY is a live key that may do everything; a restricted one that may read payments and write refunds is enough.'
    )
  }
  if (kind !== 'none' && webhookSecrets.length === 0) {
    warnings.push(
      'STRIPE_WEBHOOK_SECRET is not set: what happens in Stripe is only noticed when it is looked at.'
    )
  }
  return warnings
}
