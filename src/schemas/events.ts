import { z } from 'zod'
import type { LoggedEvent, News } from '../core/events.ts'
import { type NewsSubject, newsTypes, newsTypesOf, testType } from '../core/news-types.ts'
import { bookingOut, presentBooking } from './bookings.ts'
import { calendlyKeyOut, presentCalendlyKey } from './calendly-keys.ts'
import { presentSubscription, subscriptionOut } from './calendly-subscription.ts'
import { instantOut, pageInQuery, textIn } from './common.ts'
import { eventEndpointOut, newsTypeIn, presentEventEndpoint } from './event-endpoints.ts'
import { holdOut, presentHold } from './holds.ts'
import { chargeOut, presentCharge, presentRefund, refundOut } from './refunds.ts'

export const eventPageIn = z.strictObject({
  ...pageInQuery,
  type: z
    .union([newsTypeIn, z.array(newsTypeIn).min(1)], { error: ({ input }) => unknownTypes(input) })
    .transform((types) => (typeof types === 'string' ? [types] : types))
    .optional()
    .meta({ description: 'Once or several times; all unless told otherwise' })
})

function unknownTypes(input: unknown): string {
  const unknown = [input].flat().filter((type) => !(newsTypes as readonly unknown[]).includes(type))
  return `${unknown.join(', ').slice(0, 64)} is not a type of event; there are ${newsTypes.join(', ')}`
}

export const eventId = z.strictObject({ id: textIn(64) })

const envelope = {
  id: z.string(),
  timestamp: instantOut,
  subject: z.string().meta({ description: 'What it tells of' }),
  sequence: z
    .int()
    .min(0)
    .meta({
      description: `Counts the events of the subject from 1, without gaps; 0 of \`${testType}\``
    }),
  source: z
    .literal('reconciliation')
    .optional()
    .meta({ description: 'Found by comparing with Calendly or Stripe, not told by it' })
}

const eventOf = <D extends z.ZodRawShape>(id: string, types: readonly string[], data: D) =>
  z
    .object({
      ...envelope,
      type: z.enum(types),
      data: z.object(data).meta({ description: 'The subject as it was then' })
    })
    .meta({ id })

const endpointTypes = [...newsTypesOf.endpoint, testType]

const eventsAbout = {
  booking: eventOf('BookingEvent', newsTypesOf.booking, { booking: bookingOut }),
  hold: eventOf('HoldEvent', newsTypesOf.hold, { hold: holdOut }),
  refund: eventOf('RefundEvent', newsTypesOf.refund, { refund: refundOut }),
  charge: eventOf('ChargeEvent', newsTypesOf.charge, { charge: chargeOut }),
  key: eventOf('CalendlyKeyEvent', newsTypesOf.key, { key: calendlyKeyOut }),
  subscription: eventOf('CalendlySubscriptionEvent', newsTypesOf.subscription, {
    subscription: subscriptionOut
  }),
  endpoint: eventOf('EventEndpointEvent', endpointTypes, { endpoint: eventEndpointOut })
} satisfies Record<NewsSubject, z.ZodType>

const { booking, ...others } = eventsAbout

/** Where the document describes the events of each type that is sent. */
export const eventReferences: Readonly<Record<string, string>> = Object.fromEntries(
  Object.values(eventsAbout).flatMap((schema) =>
    schema.shape.type.options.map((type) => [type, `#/components/schemas/${schema.meta()?.id}`])
  )
)

export const eventOut = z
  .discriminatedUnion('type', [booking, ...Object.values(others)])
  .meta({ id: 'Event', discriminator: { propertyName: 'type', mapping: eventReferences } })

export const eventsOut = z.object({
  data: z.array(eventOut),
  next_cursor: z.string().meta({ description: 'Always there: what happens from now on comes after it' })
})

/** A page in the bytes in which its events were written. */
export function presentEvents(events: readonly LoggedEvent[], nextCursor: string): Buffer {
  const bodies = events.flatMap(({ body }, index) => (index === 0 ? [body] : [',', body]))
  const pieces = ['{"data":[', ...bodies, `],"next_cursor":${JSON.stringify(nextCursor)}}`]
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
}

/** An event's `data`: the same shapes as the routes answer with. */
export function presentNews({ at, data }: News): Readonly<Record<string, unknown>> {
  if ('booking' in data) return { booking: presentBooking(data.booking, at) }
  if ('hold' in data) return { hold: presentHold(data.hold) }
  if ('key' in data) return { key: presentCalendlyKey(data.key) }
  if ('refund' in data) return { refund: presentRefund(data.refund) }
  if ('charge' in data) return { charge: presentCharge(data.charge) }
  if ('subscription' in data) return { subscription: presentSubscription(data.subscription) }
  return { endpoint: presentEventEndpoint(data.endpoint) }
}
