import { eventReferences } from '../schemas/events.ts'

const header = (name: string, description: string, schema: object) => ({
  in: 'header',
  name,
  required: true,
  description,
  schema: { type: 'string', ...schema }
})

/** Of Standard Webhooks. */
const parameters = [
  header('webhook-id', 'The id of the event, the same on every attempt and replay', {}),
  header('webhook-timestamp', 'Of this attempt, in seconds since 1970', { pattern: '^\\d+$' }),
  header(
    'webhook-signature',
    '`v1,` and base64 of HMAC-SHA256 over `<id>.<timestamp>.<body>`; several, divided by spaces, while a secret is ' +
      'being replaced',
    { examples: ['v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4='] }
  )
]

const responses = {
  '2XX': { description: 'It arrived' },
  410: { description: 'Nothing is sent to this endpoint any more' },
  default: { description: 'It is tried again' }
}

/** What event endpoints are sent, by type of event. */
export const describeWebhooks = (): Record<string, object> =>
  Object.fromEntries(
    Object.entries(eventReferences).map(([type, $ref]) => [
      type,
      {
        post: {
          operationId: operationId(type),
          summary: `An event of the type \`${type}\` is sent to an endpoint`,
          tags: ['Events'],
          security: [],
          parameters,
          requestBody: { required: true, content: { 'application/json': { schema: schemaOf(type, $ref) } } },
          responses
        }
      }
    ])
  )

const schemaOf = (type: string, $ref: string) => ({
  allOf: [{ $ref }, { type: 'object', properties: { type: { const: type } } }]
})

/** `booking.no_show` → `onBookingNoShow`. */
const operationId = (type: string) =>
  `on${type
    .split(/[._]/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')}`
