import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { completeDocument, describeRoute } from './openapi-document.ts'

/** Schemas check what comes in, shape what goes out, and describe both: one object for all three. */
export const openapi = fp<{ version: string }>(
  async (app: FastifyInstance, { version }) => {
    app.setValidatorCompiler(validatorCompiler)
    app.setSerializerCompiler(serializerCompiler)

    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'calendly-gateway',
          version,
          description: 'Sell and manage time through Calendly, dependably.',
          license: { name: 'MIT', identifier: 'MIT' }
        },
        components: {
          securitySchemes: {
            callerKey: { type: 'http', scheme: 'bearer', description: 'A caller key' },
            calendlySignature: {
              type: 'apiKey',
              in: 'header',
              name: 'Calendly-Webhook-Signature',
              description:
                '`t=<unix seconds>,v1=<hex>`: HMAC-SHA256 over time, dot and body with the signing key'
            },
            stripeSignature: {
              type: 'apiKey',
              in: 'header',
              name: 'Stripe-Signature',
              description: '`t=<unix seconds>,v1=<hex>`: the same with the secret of the webhook endpoint'
            }
          }
        }
      },
      transform: describeRoute,
      transformObject: completeDocument
    })
  },
  { name: 'openapi' }
)

/** `/openapi.json`, and the same to read at `/docs`. */
export async function openapiRoutes(app: FastifyInstance): Promise<void> {
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  await app.register(async (pages) => {
    await pages.register(helmet, {
      contentSecurityPolicy: {
        directives: { 'style-src': ["'self'", "'unsafe-inline'"], 'upgrade-insecure-requests': null }
      }
    })
    await pages.register(swaggerUi, { routePrefix: '/docs', uiConfig: { docExpansion: 'list' } })
  })
}
