import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../core/errors.ts'
import {
  type Answer,
  type Attempt,
  type Execution,
  fingerprintOf,
  type Idempotency,
  parseIdempotencyKey
} from '../core/idempotency.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** One run under the request's key; begins nothing durable where a key is optional and was not sent. */
    execution: Execution | undefined
    attempt: Attempt | undefined
  }
  interface FastifyContextConfig {
    /** Whether an `Idempotency-Key` must be sent or only may. */
    idempotency?: 'required' | 'accepted'
  }
}

/** What belongs to the answer and not to its sending. */
const keptHeaders = ['content-type', 'location', 'retry-after']

const keyless: Execution = { subject: undefined, begin: async () => {}, forget: async () => {} }

type Options = { idempotency: Idempotency }

/** Runs a keyed request once and answers its repetitions with what was answered first. */
export const idempotency = fp<Options>(
  async (app, { idempotency }) => {
    app.decorateRequest('execution', undefined)
    app.decorateRequest('attempt', undefined)

    app.addHook('preHandler', async (request, reply) => {
      const need = request.routeOptions.config.idempotency
      if (need === undefined || !request.caller) return
      request.execution = keyless
      const header = request.headers['idempotency-key']
      if (header === undefined) {
        if (need === 'required') throw new AppError('idempotency_key_required')
        return
      }
      const { tenantId, name: caller } = request.caller
      const { method, routeOptions, params, body } = request
      const started = await idempotency.start({
        tenantId,
        caller,
        key: parseIdempotencyKey(String(header)),
        method,
        route: routeOptions.url ?? '',
        fingerprint: fingerprintOf([params, body])
      })
      if ('replay' in started) return replay(reply, started.replay)
      request.attempt = started.attempt
      request.execution = started.attempt.execution
    })

    app.addHook('onSend', async (request, reply, payload) => {
      if (request.attempt) await keep(request, request.attempt, reply, payload)
      return payload
    })

    function replay(reply: FastifyReply, { status, headers, body }: Answer) {
      return reply
        .code(status)
        .headers({ ...headers, 'idempotent-replayed': 'true' })
        .serializer(String)
        .send(body)
    }

    /** What was done stands, also when its answer cannot be kept: a retry then resumes from the recovery point. */
    async function keep(request: FastifyRequest, attempt: Attempt, reply: FastifyReply, payload: unknown) {
      request.attempt = undefined
      const headers = Object.entries(reply.getHeaders()).filter(([name]) => keptHeaders.includes(name))
      const answer = {
        status: reply.statusCode,
        headers: Object.fromEntries(headers.map(([name, value]) => [name, String(value)])),
        body: typeof payload === 'string' ? payload : ''
      }
      await idempotency.finish(attempt, answer).catch((error) => {
        request.log.warn({ err: error }, 'answer not kept under its idempotency key')
      })
    }
  },
  { name: 'idempotency', dependencies: ['authentication'] }
)
