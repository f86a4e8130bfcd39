import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyRequest } from 'fastify'
import { tokenOf } from './access.ts'
import type { Current } from './current.ts'
import { ApiError, isKnownStatus, notFound } from './errors.ts'
import { strikeAfter, strikeBefore } from './fault-effects.ts'
import type { Fault, Faults } from './faults.ts'
import { micros } from './identifiers.ts'
import type { Entry, Journal } from './journal.ts'

type Deps = { current: Current; faults: Faults; journal: Journal }

/** Writes every request of the scope into the journal, lets faults at it, and words errors as Calendly does. */
export function record(app: FastifyInstance, { current, faults, journal }: Deps) {
  app.decorateRequest('entry')
  app.decorateRequest('fault')
  app.decorateRequest('token')
  const seen = new WeakSet<Socket>()

  app.addHook('onRequest', async (request, reply) => {
    const entry = entryOf(request, current)
    journal.add(entry)
    request.setDecorator('entry', entry)
    reply.headers({
      'x-request-id': randomUUID(),
      'cache-control': 'max-age=0, private, must-revalidate'
    })
    const { socket } = request.raw
    const fault = faults.meet({ ...entry, reused: seen.has(socket) })
    seen.add(socket)
    if (!fault) return
    entry.fault = fault.kind
    request.setDecorator('fault', fault)
    return strikeBefore(fault, request, reply)
  })

  app.addHook('preValidation', async (request) => {
    request.getDecorator<Entry>('entry').body = request.body ?? null
  })

  app.addHook('onSend', async (request, reply, payload) => {
    request.getDecorator<Entry>('entry').status = reply.statusCode
    const fault = request.getDecorator<Fault | undefined>('fault')
    return fault ? strikeAfter(fault, reply, payload) : payload
  })

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

function entryOf(request: FastifyRequest, current: Current): Entry {
  return {
    at: micros(current.clock.now()),
    method: request.method,
    path: new URL(request.url, 'http://sandbox').pathname,
    query: request.query,
    body: null,
    token: tokenOf(current, request)?.name ?? null,
    status: null,
    fault: null,
    violations: []
  }
}

function fromFastify({ statusCode = 500, message }: FastifyError): ApiError {
  if (statusCode >= 500) return new ApiError(500)
  return new ApiError(isKnownStatus(statusCode) ? statusCode : 400, { message })
}
