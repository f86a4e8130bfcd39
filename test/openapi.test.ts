import { readFileSync } from 'node:fs'
import t from 'tap'
import { describeScopes } from '../src/cli/scopes.ts'
import { newsTypes, testType } from '../src/core/news-types.ts'
import { openService } from './support/service.ts'

type Schema = Record<string, unknown>
type Parameter = { name: string; in: string; required?: boolean; schema: Schema }
type Operation = {
  operationId?: string
  summary?: string
  tags?: string[]
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, { description: string; content?: Record<string, { schema: Schema }> }>
  security?: Record<string, unknown>[]
  'x-required-scope'?: string | null
}

const { app, call } = await openService(t, { sandbox: null })
const committed = readFileSync(new URL('../docs/openapi.json', import.meta.url), 'utf8')
const document = JSON.parse(committed)
const operations = Object.entries<Record<string, Operation>>(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation }))
)
const parametersIn = ({ parameters = [] }: Operation, place: string) =>
  parameters.filter((parameter) => parameter.in === place)

t.test(
  'the committed document is what the service serves: after a change run `npm run openapi`',
  async (t) => {
    const served = await call('GET', '/openapi.json', { key: null })
    t.equal(served.status, 200)
    t.equal(`${JSON.stringify(served.body, null, 2)}\n`, committed)
  }
)

t.test('the page of scopes is what the document demands: after a change run `npm run openapi`', async (t) => {
  const page = readFileSync(new URL('../docs/scopes.md', import.meta.url), 'utf8')
  t.equal(describeScopes(document), page)
  for (const { path, method } of operations) t.match(page, `\`${method.toUpperCase()} ${path}\``)
})

t.test('the document is OpenAPI 3.1 with a title, a version and its licence', async (t) => {
  t.match(document, {
    openapi: '3.1.0',
    info: { title: 'calendly-gateway', version: /^\d+\.\d+\.\d+$/, license: { identifier: 'MIT' } }
  })
})

t.test('the operations of the document are the routes of the service', async (t) => {
  // Pages for people, what Prometheus reads, and what Fastify adds to each GET.
  const isPage = (path: string) =>
    ['/openapi.json', '/dashboard', '/metrics'].includes(path) || path.startsWith('/docs')
  const routes = routesOf(app.printRoutes({ commonPrefix: false }))
    .filter(({ path, method }) => !isPage(path) && method !== 'HEAD')
    .map(({ path, method }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
  t.ok(routes.includes('GET /api/v1/bookings/{id}/timeline'), 'the route table is read to its leaves')
  t.same(routes.sort(), operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`).sort())
})

t.test('an operation has a name of its own, a summary and a tag', async (t) => {
  for (const { path, method, operation } of operations) {
    t.match(
      operation,
      { operationId: /^[a-z]+[A-Za-z]+$/, summary: /^\S.+/, tags: [/^[A-Z]/] },
      `${method} ${path}`
    )
  }
  t.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length)
})

t.test('an operation names its scope and asks for a caller key where it has one', async (t) => {
  for (const { path, method, operation } of operations) {
    const { 'x-required-scope': scope, security = [] } = operation
    const isGuarded = path.startsWith('/api/v1/')
    t.match(scope, isGuarded ? /^([a-z]+:(read|write)|admin)$/ : null, `${method} ${path}`)
    t.equal(security.length === 1 && 'callerKey' in (security[0] ?? {}), isGuarded, `${method} ${path}`)
    for (const name of security.flatMap((scheme) => Object.keys(scheme))) {
      t.ok(name in document.components.securitySchemes, `${name} is declared`)
    }
  }
})

t.test('an operation declares the parameters of its path and no others', async (t) => {
  for (const { path, method, operation } of operations) {
    const declared = parametersIn(operation, 'path')
    t.same(
      declared.map(({ name }) => name),
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      `${method} ${path}`
    )
    t.ok(declared.every(({ required }) => required === true))
  }
})

t.test('an operation says what a success looks like, and that everything else is a problem', async (t) => {
  for (const { path, method, operation } of operations) {
    const statuses = Object.keys(operation.responses)
    t.ok(
      statuses.some((status) => /^2\d\d$/.test(status)),
      `${method} ${path}`
    )
    for (const status of ['4XX', '5XX']) {
      t.same(operation.responses[status]?.content, {
        'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } }
      })
    }
    t.notOk(Object.values(operation.responses).some(({ description }) => description === 'Default Response'))
  }
})

t.test(
  'every operation that changes something and every other keeps its Idempotency-Key as promised',
  async (t) => {
    const required = operations
      .filter(({ operation }) =>
        parametersIn(operation, 'header').some(({ name, required }) => name === 'Idempotency-Key' && required)
      )
      .map(({ path }) => path)
    t.same(required.sort(), [
      '/api/v1/bookings',
      '/api/v1/bookings/{id}/cancel',
      '/api/v1/bookings/{id}/reschedule',
      '/api/v1/refunds'
    ])
    for (const { path, method, operation } of operations) {
      const names = parametersIn(operation, 'header').map(({ name }) => name)
      const onlyAsks = path === '/api/v1/refunds/quote'
      const accepts = method === 'post' && path.startsWith('/api/v1/') && !onlyAsks
      t.same(names, accepts ? ['Idempotency-Key'] : [], `${method} ${path}`)
    }
  }
)

t.test('every type of event that is sent is a webhook of the document, with its headers', async (t) => {
  t.same(Object.keys(document.webhooks).sort(), [...newsTypes, testType].sort())
  const { mapping } = document.components.schemas.Event.discriminator
  for (const [type, { post }] of Object.entries<Record<string, Operation>>(document.webhooks)) {
    t.same(
      parametersIn(post as Operation, 'header').map(({ name, required }) => [name, required]),
      ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [name, true]),
      type
    )
    const sent = post?.requestBody?.content['application/json']?.schema
    t.match(sent, { allOf: [{ $ref: mapping[type] }, { properties: { type: { const: type } } }] })
    const { properties } = document.components.schemas[mapping[type].split('/').at(-1)]
    t.ok(properties.type.enum.includes(type))
    t.equal(Object.keys(properties.data.properties).length, 1)
  }
})

t.test('a page is of 1 to 200, and no count is below zero', async (t) => {
  const limits = operations.flatMap(({ operation }) =>
    parametersIn(operation, 'query').filter(({ name }) => name === 'limit')
  )
  t.ok(limits.length > 5)
  for (const { schema } of limits) t.same(schema, { type: 'integer', minimum: 1, maximum: 200, default: 50 })
  t.notMatch(committed, /"minimum": -9007199254740991/)
})

t.test('what is sent is described strictly, what is answered openly', async (t) => {
  t.equal(document.components.schemas.BookingRequest.additionalProperties, false)
  t.notOk(JSON.stringify(document.components.schemas.Booking).includes('"additionalProperties":false'))
})

t.test('a webhook is a body of bytes behind a signature', async (t) => {
  const { post } = document.paths['/api/webhooks/calendly']
  t.same(post.security, [{ calendlySignature: [] }])
  t.same(Object.keys(post.requestBody.content), ['application/json'])
})

t.test('every reference leads to a schema and every schema is referred to', async (t) => {
  const names = new Set([...committed.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name))
  t.same([...names].sort(), Object.keys(document.components.schemas).sort())
  t.equal(
    (committed.match(/"\$ref"/g) ?? []).length,
    (committed.match(/"\$ref": "#\/components\/schemas\//g) ?? []).length
  )
})

t.test(
  'the page at /docs is served with everything it loads, within its own content security policy',
  async (t) => {
    const page = await call('GET', '/docs/', { key: null })
    t.equal(page.status, 200)
    t.match(page.headers['content-type'], /^text\/html/)
    const assets = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path)
    t.ok(assets.length >= 3)
    for (const asset of assets) {
      const { pathname, origin } = new URL(asset, 'http://gateway/docs/')
      t.equal(origin, 'http://gateway', `${asset} comes from us`)
      t.equal((await call('GET', pathname, { key: null })).status, 200, asset)
    }
    const policy = String(page.headers['content-security-policy'])
    t.match(policy, /script-src 'self'/)
    t.notMatch(page.text, /<script(?![^>]*\bsrc=)[^>]*>/, 'no script in the page needs more than that')
  }
)

/** From Fastify's drawing of its tree: every leaf with its full path. */
function routesOf(drawing: string): { path: string; method: string }[] {
  const parents: string[] = []
  return drawing.split('\n').flatMap((line) => {
    const [, indent = '', part = '', methods = ''] = /^([│ ]*)[├└]── (\S+) \(([A-Z, ]+)\)/.exec(line) ?? []
    if (part === '') return []
    const depth = indent.length / 4
    parents.length = depth
    parents.push(part)
    return methods.split(', ').map((method) => ({ path: parents.join(''), method }))
  })
}
