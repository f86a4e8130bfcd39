import type { FastifyError, FastifyInstance } from 'fastify'
import { ApiError, notFound } from '../errors.ts'
import type { Parts } from '../parts.ts'
import { faults } from './faults.ts'
import { log } from './log.ts'
import { people } from './people.ts'
import { quotas } from './quotas.ts'
import { stage } from './stage.ts'
import { webhooks } from './webhooks.ts'

/** The sandbox's own API: what Calendly does not have. No token, no log, no faults. */
export function control(app: FastifyInstance, parts: Parts) {
  stage(app, parts)
  people(app, parts)
  quotas(app, parts)
  faults(app, parts)
  webhooks(app, parts)
  log(app, parts)

  app.setNotFoundHandler(() => {
    throw notFound()
  })
  app.setErrorHandler<FastifyError | ApiError>((error, _request, reply) => {
    if (error instanceof ApiError) return reply.code(error.status).send(error.body)
    const { statusCode = 500, message } = error
    return reply.code(statusCode).send({ title: 'Sandbox Error', message })
  })
}
