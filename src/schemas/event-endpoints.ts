import { z } from 'zod'
import type { Attempt, EventEndpoint } from '../core/event-endpoint.ts'
import type { EventDelivery } from '../core/event-endpoint-deliveries.ts'
import { formatInstant } from '../core/instants.ts'
import { newsTypes } from '../core/news-types.ts'
import { instantIn, instantOut, optionalInstant, pageInQuery, pageOf, textIn } from './common.ts'

export const newsTypeIn = z.enum(newsTypes, {
  error: ({ input }) => `${String(input).slice(0, 64)} is not a type of event`
})

const typesIn = z
  .array(newsTypeIn)
  .min(1, 'must name a type of event')
  .max(100)
  .meta({ description: 'What it is told of' })

const urlIn = textIn(2_000).meta({
  description:
    'https, without credentials or fragment; in development http, too. It must lead to public addresses only',
  examples: ['https://shop.example.com/hooks/calendly']
})

export const eventEndpointIn = z
  .strictObject({ url: urlIn, types: typesIn, description: textIn(500).nullable().optional() })
  .meta({ id: 'EventEndpointRequest' })

export const eventEndpointChangeIn = z
  .strictObject({
    url: urlIn.optional(),
    types: typesIn.optional(),
    description: textIn(500).nullable().optional(),
    disabled: z.boolean().optional()
  })
  .meta({ id: 'EventEndpointChange' })

export const eventEndpointId = z.strictObject({ id: textIn(64) })

export const endpointPageIn = z.strictObject(pageInQuery)

const deliveryStatuses = ['pending', 'succeeded', 'failed'] as const

export const deliveryFilterIn = z.strictObject({
  ...pageInQuery,
  status: z.enum(deliveryStatuses).optional()
})

export const replayIn = z.union(
  [z.strictObject({ from: instantIn }), z.strictObject({ status: z.literal('failed') })],
  'takes either `from`, a time with its offset, or `status`, which is "failed"'
)

export const replayOut = z.object({ queued: z.int().min(0) })

export const eventEndpointOut = z
  .object({
    id: z.string(),
    url: z.string(),
    types: z.array(z.enum(newsTypes)),
    description: z.string().nullable(),
    status: z.enum(['enabled', 'disabled']),
    disabled_reason: z.enum(['requested', 'gone', 'failing']).nullable().meta({
      description: '`gone`: it answered 410 · `failing`: nothing reached it for five days'
    }),
    failing_since: instantOut.nullable(),
    created_at: instantOut,
    updated_at: instantOut
  })
  .meta({ id: 'EventEndpoint' })

export const eventEndpointsOut = pageOf(eventEndpointOut)

export const newEventEndpointOut = eventEndpointOut
  .extend({ secret: z.string().meta({ description: 'Signs what is sent there. Shown once' }) })
  .meta({ id: 'NewEventEndpoint' })

const attemptOut = {
  status: z.int().nullable().meta({ description: 'HTTP status; null where no answer came' }),
  error: z.string().nullable(),
  duration_ms: z.int()
}

export const testOut = z.object({ delivered: z.boolean(), ...attemptOut })

export const eventDeliveryOut = z
  .object({
    event_id: z.string(),
    type: z.enum(newsTypes),
    status: z.enum(deliveryStatuses).meta({ description: '`failed`: it is not tried again' }),
    attempts: z.int().min(0).meta({ description: 'Made so far' }),
    next_attempt_at: instantOut.nullable(),
    last_attempt: z.object({ at: instantOut, ...attemptOut }).nullable()
  })
  .meta({ id: 'EventDelivery' })

export const eventDeliveriesOut = pageOf(eventDeliveryOut)

export function presentEventEndpoint(endpoint: EventEndpoint): z.input<typeof eventEndpointOut> {
  return {
    id: endpoint.id,
    url: endpoint.url,
    types: [...endpoint.types],
    description: endpoint.description ?? null,
    status: endpoint.status,
    disabled_reason: endpoint.disabledReason ?? null,
    failing_since: optionalInstant(endpoint.failingSince),
    created_at: formatInstant(endpoint.createdAt),
    updated_at: formatInstant(endpoint.updatedAt)
  }
}

export function presentEventDelivery(delivery: EventDelivery): z.input<typeof eventDeliveryOut> {
  const { lastAttempt } = delivery
  return {
    event_id: delivery.eventId,
    type: delivery.type,
    status: delivery.status,
    attempts: delivery.attempts,
    next_attempt_at: optionalInstant(delivery.dueAt),
    last_attempt: lastAttempt ? { at: formatInstant(lastAttempt.at), ...presentAttempt(lastAttempt) } : null
  }
}

export function presentTest(attempt: Attempt): z.input<typeof testOut> {
  return { delivered: attempt.kind === 'delivered', ...presentAttempt(attempt) }
}

function presentAttempt({ status, error, durationMs }: Omit<Attempt, 'kind'>) {
  return { status: status ?? null, error: error ?? null, duration_ms: durationMs }
}
