import { z } from 'zod'
import { deliveryStatuses } from '../core/deliveries.ts'
import { formatInstant } from '../core/instants.ts'
import type { KeptDelivery } from '../core/webhook-deliveries.ts'
import { instantOut, optionalInstant, pageInQuery, pageOf, textIn } from './common.ts'

export const webhookDeliveryId = z.strictObject({ id: textIn(64) })

export const webhookDeliveryFilterIn = z.strictObject({
  status: z.enum(deliveryStatuses).optional(),
  event: textIn(100)
    .optional()
    .meta({ examples: ['invitee.created'] }),
  ...pageInQuery
})

export const webhookDeliveryOut = z
  .object({
    id: z.string(),
    event: z
      .string()
      .nullable()
      .meta({ description: 'As Calendly named it; null where that is not readable' }),
    subject: z.string().nullable().meta({ description: 'URI of what it speaks of' }),
    slot: z.string().nullable().meta({ description: 'The path it came to; null is the bare one' }),
    status: z.enum(deliveryStatuses),
    reason: z.string().nullable().meta({
      description: 'Why it was set aside (`stale`, `subject_not_found`, `unreadable`) or has failed'
    }),
    attempts: z.int().min(0).meta({ description: 'Made so far; `dead` after eight' }),
    signed_at: instantOut,
    received_at: instantOut,
    processed_at: instantOut.nullable(),
    next_attempt_at: instantOut.nullable()
  })
  .meta({ id: 'WebhookDelivery' })

export const webhookDeliveriesOut = pageOf(webhookDeliveryOut)

export const webhookDeliveryDetailOut = webhookDeliveryOut
  .extend({
    payload: z.unknown().meta({ description: 'What Calendly sent; null where that is no JSON' }),
    body: z.string().nullable().meta({ description: 'Its bytes in base64, where they are no JSON' })
  })
  .meta({ id: 'WebhookDeliveryDetail' })

export function presentWebhookDelivery(delivery: KeptDelivery): z.input<typeof webhookDeliveryOut> {
  return {
    id: delivery.id,
    event: delivery.event ?? null,
    subject: delivery.subject ?? null,
    slot: delivery.slot ?? null,
    status: delivery.status,
    reason: delivery.reason ?? null,
    attempts: delivery.attempts,
    signed_at: formatInstant(delivery.signedAt),
    received_at: formatInstant(delivery.receivedAt),
    processed_at: optionalInstant(delivery.processedAt),
    next_attempt_at: optionalInstant(delivery.dueAt)
  }
}

export function presentWebhookDeliveryDetail(
  delivery: KeptDelivery & { body: Buffer }
): z.input<typeof webhookDeliveryDetailOut> {
  return { ...presentWebhookDelivery(delivery), ...contentOf(delivery.body) }
}

function contentOf(bytes: Buffer): { payload: unknown; body: string | null } {
  try {
    const payload: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    // What is nested too deeply can be read, but not written.
    JSON.stringify(payload)
    return { payload, body: null }
  } catch {
    return { payload: null, body: bytes.toString('base64') }
  }
}
