import fastify, { type FastifyInstance } from 'fastify'
import { accept, noQuery } from './accept.ts'
import { requireToken } from './access.ts'
import { readBodies } from './bodies.ts'
import { control } from './control/control.ts'
import type { Parts } from './parts.ts'
import { record } from './record.ts'
import { accounts } from './routes/accounts.ts'
import { eventTypes } from './routes/event-types.ts'
import { invitees } from './routes/invitees.ts'
import { noShows } from './routes/no-shows.ts'
import { sampleWebhookData } from './routes/sample-webhook-data.ts'
import { scheduledEvents } from './routes/scheduled-events.ts'
import { schedules } from './routes/schedules.ts'
import { schedulingLinks } from './routes/scheduling-links.ts'
import { webhookSubscriptions } from './routes/webhook-subscriptions.ts'
import { stripeApi } from './stripe/api.ts'
import { stripeControl } from './stripe/control/control.ts'

export function buildApp(parts: Parts): FastifyInstance {
  // A fault may bring megabytes of body along.
  const app = fastify({ forceCloseConnections: true, bodyLimit: 20 * 1024 * 1024 })
  readBodies(app)

  const { stripe, faults, journal, current } = parts
  app.register(
    async (scope) => {
      control(scope, parts)
      await scope.register(async (inner) => stripeControl(inner, stripe), { prefix: '/stripe' })
    },
    { prefix: '/__sandbox' }
  )
  const { clock } = current
  app.register(async (scope) => stripeApi(scope, { ...stripe, faults, journal, clock }), { prefix: '/v1' })

  app.register(async (scope) => {
    record(scope, parts)
    requireToken(scope, parts)
    // Only what reads has a documented query; routes that read check their own.
    scope.addHook('preValidation', async ({ method, query }) => {
      if (method !== 'GET') accept(noQuery, query)
    })
    accounts(scope, parts)
    eventTypes(scope, parts)
    schedules(scope, parts)
    scheduledEvents(scope, parts)
    invitees(scope, parts)
    noShows(scope, parts)
    schedulingLinks(scope, parts)
    webhookSubscriptions(scope, parts)
    sampleWebhookData(scope, parts)
  })
  return app
}
