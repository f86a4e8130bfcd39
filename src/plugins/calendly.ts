import fp from 'fastify-plugin'
import { type Calendly, type CalendlyOptions, openCalendly } from '../calendly/client.ts'

declare module 'fastify' {
  interface FastifyInstance {
    calendly: Calendly
  }
}

/** Calendly's API as `app.calendly`. */
export const calendly = fp<Omit<CalendlyOptions, 'log'>>(
  async (app, options) => {
    const client = openCalendly({ ...options, log: app.log })
    app.decorate('calendly', client)
    app.addHook('onClose', client.close)
  },
  { name: 'calendly' }
)
