import { randomBytes } from 'node:crypto'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../clock.ts'
import type { Voice } from '../fault-effects.ts'
import type { Faults } from '../faults.ts'
import type { Entry, Journal } from '../journal.ts'
import { watch } from '../watch.ts'
import type { Account } from './account.ts'
import { broken, malformed, StripeError } from './errors.ts'
import { checkPaths, expand } from './expand.ts'
import { type Form, listIn, readForm } from './form.ts'
import type { Idempotency } from './idempotency.ts'
import { keepAnswers, keepFaults, underKey } from './keeping.ts'
import { demand, type Key, keyOf, secretOf } from './keys.ts'
import type { Mishaps } from './mishaps.ts'
import { readRoutes } from './read-routes.ts'
import { refundRoutes } from './refund-routes.ts'
import type { Asked, Route } from './route.ts'
import { apiVersion } from './version.ts'

type Deps = {
  account: Account
  idempotency: Idempotency
  mishaps: Mishaps
  keys: () => readonly Key[]
  clock: Clock
  faults: Faults
  journal: Journal
}
/** Stripe's own API, as far as money goes back: what was paid, what was refunded and what is disputed. */
export function stripeApi(app: FastifyInstance, deps: Deps) {
  const { account, keys } = deps
  readForms(app)
  wordErrors(app, deps)
  app.addHook('onRequest', async (request, reply) => {
    const version = request.headers['stripe-version'] ?? apiVersion
    reply.headers({ 'request-id': `req_${randomBytes(8).toString('hex')}`, 'stripe-version': version })
  })
  keepAnswers(app, deps)
  const nameOf = (request: FastifyRequest) =>
    keys().find(({ value }) => value === secretOf(request))?.name ?? null
  watch(app, { ...deps, nameOf, voice: stripeVoice })
  keepFaults(app, deps)
  requireKey(app, deps)

  const route: Route = (method, url, { permission, shown, isList = false }, handle) =>
    app.route({
      method,
      url,
      handler: async (request, reply) => {
        const key = request.getDecorator<Key>('stripeKey')
        demand(key, permission)
        const asked = askedIn(request, reply, key)
        const paths = listIn((method === 'GET' ? asked.query : asked.form).expand)
        const answer = () => {
          checkPaths(paths, shown, isList)
          return expand(account, handle(asked), paths)
        }
        return method === 'GET' ? answer() : underKey({ request, reply, key }, deps, answer)
      }
    })
  readRoutes(route, account)
  refundRoutes(route, account)
}

function readForms(app: FastifyInstance) {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string) => readForm(text)
  )
}

function requireKey(app: FastifyInstance, { keys, account }: Deps) {
  app.decorateRequest('stripeKey')
  app.addHook('onRequest', async (request) => {
    request.setDecorator('stripeKey', keyOf(keys(), request))
    const version = request.headers['stripe-version']
    if (version !== undefined && !/^\d{4}-\d{2}-\d{2}(\.\w+)?$/.test(String(version))) {
      throw malformed(`Invalid Stripe API version: ${version}`)
    }
    account.settle()
  })
}

function askedIn(request: FastifyRequest, reply: FastifyReply, key: Key): Asked {
  const { pathname, search } = new URL(request.url, 'http://stripe')
  const idempotencyKey = request.headers['idempotency-key']
  return {
    ...{ key, path: pathname, query: readForm(search), form: (request.body ?? {}) as Form },
    id: (request.params as { id?: string }).id ?? '',
    by: {
      request: String(reply.getHeader('request-id')),
      key: typeof idempotencyKey === 'string' ? idempotencyKey : null
    }
  }
}

const stripeVoice: Voice = {
  problem: (status) => broken(status).body(),
  tooMany: ({ reset_seconds }) => ({
    headers: { 'retry-after': reset_seconds, 'stripe-should-retry': 'true' },
    body: new StripeError(429, 'Request rate limit exceeded.', { code: 'rate_limit' }).body()
  })
}

function wordErrors(app: FastifyInstance, { journal }: Deps) {
  app.setNotFoundHandler((request) => {
    const { method, url } = request
    journal.violate(request.getDecorator<Entry>('entry'), [`${method} ${url} is not a documented endpoint`])
    throw new StripeError(404, `Unrecognized request URL (${method}: ${url}).`)
  })
  app.setErrorHandler<FastifyError | StripeError>((error, request, reply) => {
    const known = error instanceof StripeError ? error : fromFastify(error)
    if (known.isUndocumented) journal.violate(request.getDecorator<Entry>('entry'), [known.message])
    request.setDecorator('stripeError', known)
    if (known.status === 401) reply.header('www-authenticate', 'Basic realm="Stripe"')
    return reply.code(known.status).send(known.body(String(reply.getHeader('request-id'))))
  })
}

function fromFastify({ statusCode = 500, message }: FastifyError): StripeError {
  return statusCode >= 500 ? broken() : new StripeError(statusCode, message, { isValidation: true })
}
