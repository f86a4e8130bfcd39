import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Subscriptions } from '../core/subscriptions.ts'
import { presentSubscription, subscriptionOut } from '../schemas/calendly-subscription.ts'
import { withProblems } from '../schemas/common.ts'
import { callerOf, executionOf } from './caller.ts'

const tags = ['Webhooks']
const response = withProblems({ 200: subscriptionOut })
const changes = { scope: 'keys:write', idempotency: 'accepted' } as const

type Options = { subscription: Subscriptions }

export const subscriptionRoutes: FastifyPluginAsyncZod<Options> = async (app, { subscription }) => {
  app.get(
    '/calendly/subscription',
    {
      config: { scope: 'keys:read' },
      schema: { tags, summary: 'Our webhook subscription, as the latest look has left it', response }
    },
    async (request) => presentSubscription(await subscription.show(callerOf(request)))
  )

  app.post(
    '/calendly/subscription',
    {
      config: changes,
      schema: { tags, summary: 'Make sure that a webhook subscription exists and is active', response }
    },
    async (request) => presentSubscription(await subscription.ensure(callerOf(request)))
  )

  app.post(
    '/calendly/subscription/rotate-signing-key',
    {
      config: changes,
      schema: {
        tags,
        summary: 'Replace the subscription by one with a new signing key, without a moment of none',
        description: 'The old key verifies for 25 hours more.',
        response
      }
    },
    async (request) => presentSubscription(await subscription.rotate(callerOf(request), executionOf(request)))
  )
}
