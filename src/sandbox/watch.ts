import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Clock } from './clock.ts'
import { strikeAfter, strikeBefore, type Voice } from './fault-effects.ts'
import type { Fault, Faults } from './faults.ts'
import { micros } from './identifiers.ts'
import type { Entry, Journal } from './journal.ts'

type Deps = {
  clock: Clock
  faults: Faults
  journal: Journal
  /** What whoever asks is called; never the secret itself. */
  nameOf: (request: FastifyRequest) => string | null
  voice: Voice
}

/** Writes every request of the scope into the journal and lets faults at it. */
export function watch(app: FastifyInstance, { clock, faults, journal, nameOf, voice }: Deps) {
  app.decorateRequest('entry')
  app.decorateRequest('fault')
  const seen = new WeakSet<Socket>()

  app.addHook('onRequest', async (request, reply) => {
    const entry: Entry = {
      at: micros(clock.now()),
      method: request.method,
      path: new URL(request.url, 'http://sandbox').pathname,
      query: request.query,
      body: null,
      token: nameOf(request),
      status: null,
      fault: null,
      violations: []
    }
    journal.add(entry)
    request.setDecorator('entry', entry)
    const { socket } = request.raw
    const fault = faults.meet({ ...entry, reused: seen.has(socket) })
    seen.add(socket)
    if (!fault) return
    entry.fault = fault.kind
    request.setDecorator('fault', fault)
    return strikeBefore(fault, request, reply, voice)
  })

  app.addHook('preValidation', async (request) => {
    request.getDecorator<Entry>('entry').body = request.body ?? null
  })

  app.addHook('onSend', async (request, reply, payload) => {
    request.getDecorator<Entry>('entry').status = reply.statusCode
    const fault = request.getDecorator<Fault | undefined>('fault')
    return fault ? strikeAfter(fault, reply, payload, voice) : payload
  })
}
