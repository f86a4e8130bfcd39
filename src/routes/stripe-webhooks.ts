import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { StripeHints } from '../core/stripe-hints.ts'
import { noContent, withProblems } from '../schemas/common.ts'
import { stripeWebhookIn } from '../schemas/webhooks.ts'

type Options = {
  stripeHints: StripeHints
  /** Called once a charge is due to be read. */
  onHinted: () => void
  /** Called for every forgery. */
  onForged: (request: FastifyRequest) => Promise<void>
}

const largestBytes = 256 * 1024
const config = { scope: 'public', limited: 'forgeries', load: Number.POSITIVE_INFINITY } as const

/** A scope of its own: here bodies stay the bytes they came as, whatever their content type says. */
export async function stripeWebhookRoutes(app: FastifyInstance, options: Options): Promise<void> {
  const { stripeHints, onHinted, onForged } = options
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: largestBytes }, (_request, body, done) =>
    done(null, body)
  )

  app.post(
    '/stripe',
    {
      config,
      bodyLimit: largestBytes,
      schema: {
        tags: ['Webhooks'],
        summary: "Stripe's deliveries",
        security: [{ stripeSignature: [] }],
        body: stripeWebhookIn,
        response: withProblems({ 204: noContent })
      }
    },
    async (request, reply) => {
      const { headers, body } = request
      const isHint = await stripeHints.accept({
        header: headers['stripe-signature'],
        body: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
        onForged: () => onForged(request)
      })
      if (isHint) onHinted()
      return reply.code(204).send()
    }
  )
}
