import { z } from 'zod'
import type { StripeHealth } from '../core/stripe-health.ts'
import { instantOut, optionalInstant } from './common.ts'

export const stripeHealthOut = z.object({
  configured: z.boolean(),
  livemode: z.boolean(),
  key: z.enum(['restricted', 'full', 'none']),
  api_version: z.string(),
  status: z.enum(['ok', 'degraded', 'down']).nullable(),
  last_webhook_at: instantOut.nullable(),
  warnings: z.array(z.string())
})

export function presentStripeHealth(health: StripeHealth): z.input<typeof stripeHealthOut> {
  return {
    configured: health.isConfigured,
    livemode: health.livemode,
    key: health.key,
    api_version: health.apiVersion,
    status: health.status ?? null,
    last_webhook_at: optionalInstant(health.lastWebhookAt),
    warnings: [...new Set(health.warnings)]
  }
}
