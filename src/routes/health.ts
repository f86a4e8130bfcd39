import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { type Health, isOperator } from '../core/health.ts'
import type { StripeHealth } from '../core/stripe-health.ts'
import type { System } from '../core/system.ts'
import { withProblems } from '../schemas/common.ts'
import {
  calendlyHealthOut,
  healthOut,
  liveOut,
  presentCalendlyHealth,
  presentHealth,
  readyOut
} from '../schemas/health.ts'

type Options = { health: Health; stripeHealth: () => StripeHealth; system: Pick<System, 'now'> }

const config = { scope: 'public', limited: false, load: Number.POSITIVE_INFINITY } as const
// An admin learns more.
const detailed = { scope: 'anyone', load: config.load } as const
const security = [{}, { callerKey: [] }]

export const healthRoutes: FastifyPluginAsyncZod<Options> = async (app, options) => {
  const { health, stripeHealth, system } = options

  app.get(
    '/live',
    {
      config,
      schema: { tags: ['Health'], summary: 'Is the process alive?', response: withProblems({ 200: liveOut }) }
    },
    async () => ({ status: 'ok' as const })
  )

  app.get(
    '/ready',
    {
      config,
      schema: {
        tags: ['Health'],
        summary: 'May requests be sent here?',
        response: withProblems({ 200: readyOut, 503: readyOut })
      }
    },
    async (_request, reply) => {
      const isReady = await health.isReady()
      return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'unavailable' })
    }
  )

  app.get(
    '',
    {
      config: detailed,
      schema: {
        tags: ['Health'],
        summary: 'How is the service?',
        security,
        response: withProblems({ 200: healthOut })
      }
    },
    async ({ caller }) =>
      presentHealth(
        await health.service(isOperator(caller)),
        stripeHealth(),
        system.now(),
        isOperator(caller)
      )
  )

  app.get(
    '/calendly',
    {
      config: detailed,
      schema: {
        tags: ['Health'],
        summary: 'How is Calendly?',
        security,
        response: withProblems({ 200: calendlyHealthOut })
      }
    },
    async ({ caller }) =>
      presentCalendlyHealth(
        await health.calendlyStatus(),
        system.now(),
        isOperator(caller) ? await health.calendlyDetails() : undefined
      )
  )
}
