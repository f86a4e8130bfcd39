import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Fault } from '../faults.ts'
import { broken, type StripeError } from './errors.ts'
import { canonical, type Form } from './form.ts'
import type { Asked, Idempotency } from './idempotency.ts'
import type { Key } from './keys.ts'
import type { Mishaps } from './mishaps.ts'

type Deps = { idempotency: Idempotency; mishaps: Mishaps }

const askedOf = (request: FastifyRequest) => request.getDecorator<Asked | undefined>('stripeAsked')
const faultOf = (request: FastifyRequest) => request.getDecorator<Fault | undefined>('fault')

/** Before faults are let at answers: what was executed is kept under its key, whether or not it arrives. */
export function keepAnswers(app: FastifyInstance, { idempotency }: Deps) {
  app.decorateRequest('stripeAsked')
  app.decorateRequest('stripeError')
  app.addHook('onSend', async (request, reply, payload) => {
    const asked = askedOf(request)
    if (!asked) return payload
    const error = request.getDecorator<StripeError | undefined>('stripeError')
    if (error?.isValidation) idempotency.forget(asked)
    else idempotency.save(asked, savedOf(reply, payload))
    return payload
  })
}

/** After them: the 500 that a fault made of what was executed is kept in its place, as Stripe keeps its own. */
export function keepFaults(app: FastifyInstance, { idempotency }: Deps) {
  app.addHook('onSend', async (request, reply, payload) => {
    const asked = askedOf(request)
    if (asked && faultOf(request)?.kind === 'status') idempotency.save(asked, savedOf(reply, payload))
    adviseOnRetry(reply, asked !== undefined)
    return payload
  })
}

/** Runs it once for a key, and answers whoever repeats it with what came of it. */
export async function underKey(
  { request, reply, key }: { request: FastifyRequest; reply: FastifyReply; key: Key },
  { idempotency, mishaps }: Deps,
  run: () => object
) {
  const name = request.headers['idempotency-key']
  if (typeof name === 'string') {
    const asked: Asked = {
      ...{ owner: `${key.account} ${key.livemode}`, key: name, path: request.url },
      parameters: canonical((request.body ?? {}) as Form)
    }
    const saved = idempotency.begin(asked)
    reply.header('idempotency-key', name)
    if (saved) {
      reply.headers({ 'idempotent-replayed': 'true', 'original-request': saved.requestId })
      if (saved.status >= 500) reply.header('stripe-should-retry', 'false')
      return reply.code(saved.status).type('application/json').send(saved.body)
    }
    request.setDecorator('stripeAsked', asked)
  }
  const mishap = mishaps.meet()
  if (mishap?.kind === 'saved_500') throw broken()
  if (mishap?.kind === 'slow') await delay(mishap.delay_ms)
  return run()
}

/** A failure that is kept under its key would only come again. */
function adviseOnRetry(reply: FastifyReply, isKept: boolean) {
  if (reply.statusCode >= 500 && !reply.hasHeader('stripe-should-retry')) {
    reply.header('stripe-should-retry', String(!isKept))
  }
}

const savedOf = (reply: FastifyReply, payload: unknown) => ({
  status: reply.statusCode,
  body: String(payload ?? ''),
  requestId: String(reply.getHeader('request-id'))
})
