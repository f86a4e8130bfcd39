import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { System } from '../core/system.ts'

/** The id of a request: the caller's own where it is harmless in a log, else a fresh one. */
export function requestIds({ id }: Pick<System, 'id'>) {
  return ({ headers }: { headers: Record<string, string | string[] | undefined> }): string => {
    const given = headers['x-request-id']
    return typeof given === 'string' && /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : id()
  }
}

declare module 'fastify' {
  interface FastifyInstance {
    /** From now on every answer ends its connection. */
    leave: () => Promise<void>
  }
}

/** Every answer names its request; every line of a request's log names its trace (W3C `traceparent`). */
export const requests = fp(
  async (app) => {
    // By callback here and wherever else every request comes by: a promise each would add up.
    app.addHook('onRequest', (request: FastifyRequest, reply, done) => {
      reply.header('x-request-id', request.id)
      const traceId = /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/.exec(
        String(request.headers.traceparent)
      )?.[1]
      if (traceId) request.log = reply.log = request.log.child({ trace_id: traceId })
      done()
    })

    // Whoever keeps a connection alive is told to come back on another, and so to another replica.
    let isLeaving = false
    const leave = async () => {
      isLeaving = true
    }
    app.decorate('leave', leave)
    app.addHook('preClose', leave)
    app.addHook('onSend', (_request, reply, payload, done) => {
      if (isLeaving) reply.header('connection', 'close')
      done(null, payload)
    })

    // One line a request; of the address only the path, since queries name people.
    app.addHook('onResponse', (request, reply, done) => {
      request.log.info(
        {
          method: request.method,
          path: request.url.split('?', 1)[0],
          status: reply.statusCode,
          ms: Math.round(reply.elapsedTime * 10) / 10,
          ...(request.caller && { caller: request.caller.name })
        },
        'request completed'
      )
      done()
    })
  },
  { name: 'requests' }
)
