import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../core/errors.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Resolves once no request is being served. */
    whenIdle: () => Promise<void>
    /** Requests that are being served. */
    inFlight: () => number
  }
  interface FastifyRequest {
    /** What of it is not over: the work of a client that has hung up goes on. */
    openParts: Set<'answer' | 'connection'> | undefined
  }
  interface FastifyContextConfig {
    /** Share of `MAX_IN_FLIGHT` up to which this route is served; the rest is kept for what matters more. */
    load?: number
  }
}

/** Above `MAX_IN_FLIGHT` requests at once the less important are refused first; webhooks and health never. */
export const load = fp<{ maxInFlight: number }>(
  async (app, { maxInFlight }) => {
    let inFlight = 0
    const idle: (() => void)[] = []
    app.decorateRequest('openParts', undefined)

    function end({ openParts }: FastifyRequest, part: 'answer' | 'connection') {
      if (!openParts?.delete(part) || openParts.size > 0) return
      inFlight--
      if (inFlight === 0) for (const resolve of idle.splice(0)) resolve()
    }

    app.decorate('inFlight', () => inFlight)
    app.decorate('whenIdle', () =>
      inFlight === 0 ? Promise.resolve() : new Promise<void>((resolve) => idle.push(resolve))
    )
    app.addHook('onSend', (request, _reply, payload, done) => {
      end(request, 'answer')
      done(null, payload)
    })
    app.addHook('onRequest', (request, reply, done) => {
      inFlight++
      request.openParts = new Set(['answer', 'connection'])
      reply.raw.once('close', () => end(request, 'connection'))
      const { load: share = 1 } = request.routeOptions.config
      const isTooMuch = inFlight > maxInFlight * share
      done(isTooMuch ? new AppError('overloaded', undefined, { retryAfterMs: 1_000 }) : undefined)
    })
  },
  { name: 'load' }
)
