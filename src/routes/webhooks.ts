import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Deliveries } from '../core/deliveries.ts'
import { noContent, withProblems } from '../schemas/common.ts'
import { webhookIn, webhookSlot } from '../schemas/webhooks.ts'

type Options = {
  deliveries: Deliveries
  /** Called once a delivery is durable. */
  onKept: () => void
  /** Called for every forgery. */
  onForged: (request: FastifyRequest) => Promise<void>
}

const largestBytes = 256 * 1024
const config = { scope: 'public', limited: 'forgeries', load: Number.POSITIVE_INFINITY } as const

/** A scope of its own: here bodies stay the bytes they came as, whatever their content type says. */
export async function webhookRoutes(app: FastifyInstance, options: Options): Promise<void> {
  const { deliveries, onKept, onForged } = options
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: largestBytes }, (_request, body, done) =>
    done(null, body)
  )

  const keep = async (slot: string | undefined, request: FastifyRequest) => {
    const { headers, body } = request
    await deliveries.accept({
      slot,
      header: headers['calendly-webhook-signature'],
      body: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
      onForged: () => onForged(request)
    })
    onKept()
  }
  const schema = {
    tags: ['Webhooks'],
    security: [{ calendlySignature: [] }],
    body: webhookIn,
    response: withProblems({ 204: noContent })
  }

  app.post(
    '/calendly',
    { config, bodyLimit: largestBytes, schema: { ...schema, summary: "Calendly's deliveries" } },
    async (request, reply) => {
      await keep(undefined, request)
      return reply.code(204).send()
    }
  )

  app.post<{ Params: { slot: string } }>(
    '/calendly/:slot',
    {
      config,
      bodyLimit: largestBytes,
      schema: { ...schema, params: webhookSlot, summary: 'Deliveries of one subscription' }
    },
    async (request, reply) => {
      await keep(request.params.slot, request)
      return reply.code(204).send()
    }
  )
}
