import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ReconciliationKind } from '../core/reconciliation.ts'
import type { Reconciliations } from '../core/reconciliations.ts'
import { withProblems } from '../schemas/common.ts'
import {
  presentReconciliation,
  reconciliationId,
  reconciliationIn,
  reconciliationOut,
  reconciliationPageIn,
  reconciliationsOut
} from '../schemas/reconciliations.ts'
import { callerOf, executionOf } from './caller.ts'

type Options = {
  reconciliations: Reconciliations
  /** Called once there is one to run. */
  onRequested: (kind: ReconciliationKind) => void
}

const tags = ['Reconciliations']

export const reconciliationRoutes: FastifyPluginAsyncZod<Options> = async (
  app,
  { reconciliations, onRequested }
) => {
  app.post(
    '/reconciliations',
    {
      config: { scope: 'admin', idempotency: 'accepted' },
      schema: {
        tags,
        summary: 'Compare our bookings with Calendly, or our refunds with Stripe, and repair what differs',
        body: reconciliationIn,
        response: withProblems({ 202: reconciliationOut })
      }
    },
    async (request, reply) => {
      const queued = await reconciliations.request(callerOf(request), request.body, executionOf(request))
      onRequested(queued.kind)
      return reply
        .code(202)
        .header('location', `/api/v1/reconciliations/${queued.id}`)
        .send(presentReconciliation(queued))
    }
  )

  app.get(
    '/reconciliations',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        summary: 'List comparisons with Calendly and Stripe, newest first',
        querystring: reconciliationPageIn,
        response: withProblems({ 200: reconciliationsOut })
      }
    },
    async (request) => {
      const page = await reconciliations.list(callerOf(request), request.query)
      return { data: page.reconciliations.map(presentReconciliation), next_cursor: page.nextCursor }
    }
  )

  app.get(
    '/reconciliations/:id',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        summary: 'Read what differed and what was done',
        params: reconciliationId,
        response: withProblems({ 200: reconciliationOut })
      }
    },
    async (request) => presentReconciliation(await reconciliations.get(callerOf(request), request.params.id))
  )
}
