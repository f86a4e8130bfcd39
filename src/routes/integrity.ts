import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Integrity } from '../core/integrity.ts'
import { withProblems } from '../schemas/common.ts'
import { integrityOut, presentIntegrity } from '../schemas/integrity.ts'
import { callerOf } from './caller.ts'

export const integrityRoutes: FastifyPluginAsyncZod<{ integrity: Integrity }> = async (
  app,
  { integrity }
) => {
  app.get(
    '/integrity',
    {
      config: { scope: 'admin' },
      schema: {
        tags: ['Integrity'],
        summary: 'Is everything as it must be?',
        response: withProblems({ 200: integrityOut })
      }
    },
    async (request) => presentIntegrity(await integrity.check(callerOf(request).tenantId))
  )
}
