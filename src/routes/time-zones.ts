import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { System } from '../core/system.ts'
import { listTimeZones } from '../core/time-zones.ts'
import { withProblems } from '../schemas/common.ts'
import { presentTimeZones, timeZonesIn, timeZonesOut } from '../schemas/time-zones.ts'

export const timeZoneRoutes: FastifyPluginAsyncZod<{ system: Pick<System, 'now'> }> = async (
  app,
  { system }
) => {
  app.get(
    '/timezones',
    {
      config: { scope: 'availability:read', load: 0.8 },
      schema: {
        tags: ['Time zones'],
        summary: 'Every time zone as it stands at a moment',
        querystring: timeZonesIn,
        response: withProblems({ 200: timeZonesOut })
      }
    },
    async ({ query }) => presentTimeZones(listTimeZones(query.at ?? system.now()))
  )
}
