import { z } from 'zod'
import type { ShownSubscription } from '../core/subscription.ts'
import { instantOut, optionalInstant } from './common.ts'

export const subscriptionOut = z
  .object({
    state: z.enum(['active', 'disabled', 'missing']),
    callback_url: z.string().nullable(),
    scope: z
      .string()
      .nullable()
      .meta({ description: '`organization`, or `user` where Calendly forbids that' }),
    events: z.array(z.string()),
    retry_started_at: instantOut.nullable().meta({ description: "Since when Calendly's deliveries fail" }),
    created_at: instantOut.nullable(),
    checked_at: instantOut.nullable(),
    signing_key: z
      .object({ slot: z.string().nullable(), created_at: instantOut.nullable() })
      .meta({ description: 'Without a slot: the key of the environment, on the bare path' }),
    last_delivery_at: instantOut.nullable(),
    detail: z.string().nullable().meta({ description: 'Why there is none' })
  })
  .meta({ id: 'CalendlySubscription' })

export function presentSubscription(shown: ShownSubscription): z.input<typeof subscriptionOut> {
  return {
    state: shown.state,
    callback_url: shown.callbackUrl ?? null,
    scope: shown.scope ?? null,
    events: [...shown.events],
    retry_started_at: optionalInstant(shown.retryStartedAt),
    created_at: optionalInstant(shown.createdAt),
    checked_at: optionalInstant(shown.checkedAt),
    signing_key: { slot: shown.slot ?? null, created_at: optionalInstant(shown.keyCreatedAt) },
    last_delivery_at: optionalInstant(shown.lastDeliveryAt),
    detail: shown.detail ?? null
  }
}
