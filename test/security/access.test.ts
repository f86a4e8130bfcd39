import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance, RouteOptions } from 'fastify'
import t from 'tap'
import { scopes } from '../../src/core/callers.ts'
import { adminKey, openService, until } from '../support/service.ts'

/** What anyone may ask. A route is added here by decision, never by accident. */
const publicRoutes = [
  'GET /api/health',
  'GET /api/health/calendly',
  'GET /api/health/live',
  'GET /api/health/ready',
  'GET /docs',
  'GET /docs/json',
  'GET /docs/static/*',
  'GET /docs/static/index.html',
  'GET /docs/static/swagger-initializer.js',
  'GET /docs/yaml',
  'GET /metrics',
  'GET /openapi.json',
  'POST /api/webhooks/calendly',
  'POST /api/webhooks/calendly/:slot',
  'POST /api/webhooks/stripe'
]

type Route = { method: string; url: string; scope: string | undefined }

const nameOf = ({ method, url }: Route) => `${method} ${url}`
const addressOf = ({ url }: Route) => url.replaceAll(/:\w+|\*/g, 'unknown')

const routes: Route[] = []
const collect = (message: unknown) => {
  const { fastify } = message as { fastify: FastifyInstance }
  fastify.addHook('onRoute', ({ method, url, config }: RouteOptions) => {
    for (const one of [method].flat()) routes.push({ method: one, url, scope: config?.scope })
  })
}

subscribe('fastify.initialization', collect)
const { app, call } = await openService(t, { sandbox: null })
unsubscribe('fastify.initialization', collect)

const isPublic = ({ scope = 'public' }: Route) => scope === 'public' || scope === 'anyone'
const guarded = routes.filter((route) => !isPublic(route))

/** The rule of the contract, written down a second time. */
const includes = (held: string, needed: string) =>
  held === needed || (needed.endsWith(':read') && held === needed.replace(/read$/, 'write'))

t.test('every route is one of the public machines or names a scope', async (t) => {
  const open = routes.filter((route) => isPublic(route) && route.method !== 'HEAD').map(nameOf)
  t.same([...new Set(open)].sort(), publicRoutes)
  t.ok(guarded.length >= 10, 'the walk found the guarded routes')
  t.same(
    guarded.filter(({ scope }) => !scopes.some((one) => one === scope)),
    [],
    'a scope nobody can hold would lock its route'
  )
})

t.test('without a valid key a guarded route answers 401 and reveals nothing else', async (t) => {
  const credentials = [
    ['none', {}],
    ['an unknown key', { authorization: 'Bearer cgw_00000000000000000000000000000000000000000000' }],
    ['an empty key', { authorization: 'Bearer ' }],
    ['another scheme', { authorization: `Basic ${Buffer.from(`admin:${adminKey}`).toString('base64')}` }],
    ['a bare key', { authorization: adminKey }],
    ['two keys', { authorization: `Bearer ${adminKey} ${adminKey}` }],
    ['a list of keys', { authorization: `Bearer ${adminKey}, Bearer ${adminKey}` }],
    ['a prefix of a key', { authorization: `Bearer ${adminKey.slice(0, -1)}` }],
    ['a longer key', { authorization: `Bearer ${adminKey}x` }],
    ['a key in other letters', { authorization: `Bearer ${adminKey.toUpperCase()}` }],
    ['an overlong key', { authorization: `Bearer ${'x'.repeat(5_000)}` }],
    ['quotes and SQL', { authorization: "Bearer ';drop/**/table/**/caller_keys;--" }]
  ] as const
  for (const route of guarded) {
    for (const [name, headers] of credentials) {
      const { status, body } = await call(route.method, addressOf(route), { key: null, headers })
      t.equal(status, 401, `${nameOf(route)} with ${name}`)
      if (route.method !== 'HEAD') t.equal(body.code, 'unauthenticated')
    }
  }
})

t.test('a key passes the routes of its scope and no others', async (t) => {
  for (const held of scopes) {
    const { body: created } = await call('POST', '/api/v1/caller-keys', {
      body: { name: held.replace(':', '-'), scopes: [held] }
    })
    for (const route of guarded) {
      const needed = route.scope ?? ''
      const { status, body } = await call(route.method, addressOf(route), { key: created.key })
      const name = `${nameOf(route)} with ${held}`
      if (includes(held, needed)) {
        t.not(status, 401, name)
        t.not(status, 403, name)
        continue
      }
      t.equal(status, 403, name)
      if (route.method === 'HEAD') continue
      t.equal(body.code, 'insufficient_scope', name)
      t.match(body.detail, new RegExp(`\\b${needed}(?![:\\w])`), `${name} names the scope it lacks`)
    }
  }
})

t.test('the scope is judged before the body is read', async (t) => {
  const { body: created } = await call('POST', '/api/v1/caller-keys', {
    body: { name: 'reader', scopes: ['bookings:read'] }
  })
  const broken = await call('POST', '/api/v1/bookings', { key: created.key, body: '{"broken' })
  t.equal(broken.status, 403)
  const large = await call('POST', '/api/v1/bookings', { key: null, body: 'x'.repeat(200_000) })
  t.equal(large.status, 401)
})

t.test('a key can give no scope that does not exist, and a revoked key opens nothing', async (t) => {
  const invented = await call('POST', '/api/v1/caller-keys', { body: { name: 'x', scopes: ['bookings:*'] } })
  t.equal(invented.status, 400)
  const { body: created } = await call('POST', '/api/v1/caller-keys', {
    body: { name: 'short-lived', scopes: ['bookings:read'] }
  })
  const list = () => call('GET', '/api/v1/bookings', { key: created.key })
  t.equal((await list()).status, 200)
  t.equal((await call('DELETE', `/api/v1/caller-keys/${created.id}`)).status, 204)
  const refused = await until(list, ({ status }) => status !== 200)
  t.equal(refused.body.code, 'unauthenticated')
})

t.test('health needs neither a key nor the database that knows the keys', async (t) => {
  await app.database.close()
  for (const key of [null, 'an-unknown-key', adminKey]) {
    t.equal((await call('GET', '/api/health/live', { key })).status, 200)
    t.equal((await call('GET', '/api/health/ready', { key })).status, 503)
    t.match(await call('GET', '/api/health', { key }), { status: 200, body: { status: 'down' } })
    t.equal((await call('GET', '/api/health/calendly', { key })).status, 200)
  }
})
