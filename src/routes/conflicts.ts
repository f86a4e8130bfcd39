import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ConflictChecks } from '../core/conflict-checks.ts'
import { withProblems } from '../schemas/common.ts'
import { checkIn, checkOut, presentCheck, readCheck } from '../schemas/conflicts.ts'
import { callerOf, executionOf } from './caller.ts'

type Options = { conflictChecks: ConflictChecks }

export const conflictRoutes: FastifyPluginAsyncZod<Options> = async (app, { conflictChecks }) => {
  app.post(
    '/conflicts/check',
    {
      config: { scope: 'availability:read', idempotency: 'accepted', load: 0.8 },
      schema: {
        tags: ['Conflicts'],
        summary: 'Whether a time can be booked, what is in its way and what is free instead',
        body: checkIn,
        response: withProblems({ 200: checkOut })
      }
    },
    async (request) =>
      presentCheck(
        await conflictChecks.check(callerOf(request), readCheck(request.body), executionOf(request))
      )
  )
}
