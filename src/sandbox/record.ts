import { randomUUID } from 'node:crypto'
import type { FastifyError, FastifyInstance } from 'fastify'
import { tokenOf } from './access.ts'
import type { Current } from './current.ts'
import { ApiError, isKnownStatus, notFound } from './errors.ts'
import type { Voice } from './fault-effects.ts'
import type { Faults } from './faults.ts'
import type { Entry, Journal } from './journal.ts'
import { watch } from './watch.ts'

type Deps = { current: Current; faults: Faults; journal: Journal }

const calendly: Voice = {
  problem: (status) => (isKnownStatus(status) ? new ApiError(status).body : {}),
  tooMany: ({ limit, reset_seconds }) => ({
    headers: { 'x-ratelimit-limit': limit, 'x-ratelimit-remaining': 0, 'x-ratelimit-reset': reset_seconds },
    body: {}
  })
}

/** Watches every request of the scope, and words errors as Calendly does. */
export function record(app: FastifyInstance, { current, faults, journal }: Deps) {
  app.decorateRequest('token')
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers({
      'x-request-id': randomUUID(),
      'cache-control': 'max-age=0, private, must-revalidate'
    })
  })
  const nameOf = (request: Parameters<typeof tokenOf>[1]) => tokenOf(current, request)?.name ?? null
  watch(app, { clock: current.clock, faults, journal, nameOf, voice: calendly })

  app.setNotFoundHandler((request) => {
    const entry = request.getDecorator<Entry>('entry')
    journal.violate(entry, ['no such endpoint here'])
    throw notFound()
  })

  app.setErrorHandler<FastifyError | ApiError>((error, request, reply) => {
    const known = error instanceof ApiError ? error : fromFastify(error)
    journal.violate(request.getDecorator<Entry>('entry'), known.violations)
    return reply.code(known.status).send(known.body)
  })
}

function fromFastify({ statusCode = 500, message }: FastifyError): ApiError {
  if (statusCode >= 500) return new ApiError(500)
  return new ApiError(isKnownStatus(statusCode) ? statusCode : 400, { message })
}
