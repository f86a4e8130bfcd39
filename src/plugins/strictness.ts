import fp from 'fastify-plugin'
import { noBody, noQuery } from '../schemas/common.ts'

/** What a route does not take is refused by name instead of ignored: a misspelt filter must not look like none. */
export const strictness = fp(
  async (app) => {
    app.addHook('onRoute', (route) => {
      if (route.config?.scope === undefined) return
      route.schema = { querystring: noQuery, ...route.schema }
      if (route.method === 'POST' || route.method === 'DELETE')
        route.schema = { body: noBody, ...route.schema }
    })
  },
  { name: 'strictness' }
)
