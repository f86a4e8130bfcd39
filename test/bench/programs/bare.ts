import { readFileSync } from 'node:fs'
import Fastify, { LogController } from 'fastify'
import { loggerOptions } from '../../../src/logger.ts'

/** The least that a Fastify can do: the bytes of a file to everybody who asks, and the service's own log line. */
const bytes = readFileSync(process.argv[2] ?? '')
const app = Fastify({
  logger: loggerOptions('info'),
  logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' })
})
app.addHook('onResponse', async (request, reply) => {
  request.log.info(
    {
      method: request.method,
      path: request.url.split('?', 1)[0],
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      caller: 'admin'
    },
    'request completed'
  )
})
app.get('/api/v1/availability', (_request, reply) => {
  void reply.type('application/json; charset=utf-8').send(bytes)
})
await app.listen({ host: '127.0.0.1', port: 0 })
