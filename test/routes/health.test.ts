import pg from 'pg'
import t from 'tap'
import { engines } from '../support/database.ts'
import { openService, until } from '../support/service.ts'
import { book } from './support/client.ts'

for (const engine of engines) {
  t.test(`health (${engine})`, async (t) => {
    const { app, call, control } = await openService(t, { engine })

    t.test('strangers learn the status and the time, nothing else', async (t) => {
      for (const path of ['/api/health', '/api/health/calendly']) {
        const { status, body } = await call('GET', path, { key: null })
        t.equal(status, 200)
        t.same(Object.keys(body).sort(), ['status', 'timestamp'])
        t.equal(body.status, 'ok')
        t.ok(Math.abs(Date.parse(body.timestamp) - Date.now()) < 60_000)
      }
    })

    t.test('a key that is unknown or lacks admin learns no more than a stranger', async (t) => {
      const made = await call('POST', '/api/v1/caller-keys', {
        body: { name: 'monitor', scopes: ['bookings:read', 'keys:read'] }
      })
      for (const key of ['cgw_unknown', made.body.key]) {
        t.same(Object.keys((await call('GET', '/api/health', { key })).body).sort(), ['status', 'timestamp'])
      }
    })

    t.test('an admin learns version, uptime, database and queues', async (t) => {
      t.match((await call('GET', '/api/health')).body, {
        status: 'ok',
        version: /^\d+\.\d+\.\d+$/,
        uptime_seconds: Number,
        database: { engine, status: 'ok' },
        queues: { inbox: { waiting: 0, dead: 0, lag_seconds: 0, last_webhook_at: null } }
      })
    })

    t.test('an admin learns how Calendly is used, but never a token', async (t) => {
      await call('GET', '/api/v1/event-types')
      const { body, text } = await call('GET', '/api/health/calendly')
      t.match(body, {
        status: 'ok',
        keys: [
          {
            name: 'primary',
            state: 'active',
            health: 'ok',
            priority: 1,
            last_four: /^-ada$/,
            age_days: 0,
            usage_count: Number,
            usage_limit: 10_000,
            quota: { limit: 500, remaining: Number, reset_at: /Z$/ }
          }
        ],
        breakers: [
          { name: 'reads', state: 'closed', retry_at: null },
          { name: 'writes', state: 'closed', retry_at: null }
        ],
        cache: { entries: Number, bytes: Number, evicted: 0, kinds: {} },
        subscription: null,
        requests: {
          'GET /event_types': {
            count: 2,
            errors: 0,
            errors_by_class: {},
            retries: 0,
            p50: Number,
            p95: Number,
            p99: Number
          }
        },
        booking_quota: [],
        last_webhook_at: null,
        inbox_lag_seconds: 0,
        oldest_unresolved_booking: null
      })
      t.ok(Object.keys(body.cache.kinds).length > 0)
      t.ok(body.upstream_calls_per_request > 0)
      t.notMatch(text, 'sandbox-token')
    })

    t.test(
      'Calendly being away shows in its own health, not in liveness, readiness or the service',
      async (t) => {
        await control('POST', '/faults', { kind: 'status', status: 503 })
        const lookUp = () => call('GET', '/api/v1/event-types/CONSULTATION2345')
        t.equal((await lookUp()).status, 503)
        t.equal((await call('GET', '/api/health/calendly', { key: null })).body.status, 'down')
        t.match(await call('GET', '/api/health/live', { key: null }), { status: 200, body: { status: 'ok' } })
        t.match(await call('GET', '/api/health/ready', { key: null }), {
          status: 200,
          body: { status: 'ok' }
        })
        t.match(await call('GET', '/api/health', { key: null }), { status: 200, body: { status: 'ok' } })
        await control('DELETE', '/faults')
        await until(lookUp, ({ status }) => status === 200)
        t.equal((await call('GET', '/api/health/calendly', { key: null })).body.status, 'ok')
      }
    )

    t.test('health asks nothing of Calendly', async (t) => {
      await control('DELETE', '/requests')
      for (const path of ['', '/live', '/ready', '/calendly']) await call('GET', `/api/health${path}`)
      t.same((await control('GET', '/requests')).requests, [])
    })

    t.test('a draining service is not ready, but alive and still serving', async (t) => {
      app.services.health.drain()
      t.match(await call('GET', '/api/health/ready', { key: null }), {
        status: 503,
        body: { status: 'unavailable' }
      })
      t.equal((await call('GET', '/api/health/live', { key: null })).status, 200)
      t.equal((await call('GET', '/api/v1/bookings')).status, 200)
    })
  })

  t.test(`an admin learns what is left to book, and how the subscription is (${engine})`, async (t) => {
    const env = { CALENDLY_BOOKING_LIMITS: '2/minute,50/hour' }
    const service = await openService(t, { engine, webhooks: true, env })
    t.equal((await book(service)).status, 201)
    const ask = async () => (await service.call('GET', '/api/health/calendly')).body
    const { booking_quota, subscription } = await until(ask, (body) => body.subscription !== null)
    t.match(booking_quota, [
      { user: /\/users\/ADAHOSTBERLIN234$/, limit: 2, window_seconds: 60, used: 1, next_free_at: null },
      { user: /\/users\/ADAHOSTBERLIN234$/, limit: 50, window_seconds: 3_600, used: 1, next_free_at: null }
    ])
    t.match(subscription, {
      state: 'active',
      callback_url: `${service.config.publicUrl}/api/webhooks/calendly`,
      retry_started_at: null,
      checked_at: /Z$/
    })
    t.equal((await book(service)).status, 201)
    const [minute] = (await ask()).booking_quota
    t.equal(minute.used, 2)
    t.ok(Date.parse(minute.next_free_at) > Date.now())
  })

  t.test(`strangers may ask for health as often as for anything else (${engine})`, async (t) => {
    const env = { RATE_LIMIT_PER_ADDRESS: '4' }
    const { call } = await openService(t, { engine, sandbox: null, env })
    const ask = async (path: string) => (await call('GET', path, { key: null })).status
    const details = ['/api/health', '/api/health/calendly']
    for (const path of [...details, ...details]) t.equal(await ask(path), 200, path)
    for (const path of details) {
      t.match(await call('GET', path, { key: null }), {
        status: 429,
        headers: { 'retry-after': /^[1-9]\d*$/ },
        body: { code: 'rate_limited' }
      })
    }
    t.test('and probes as often as they like', async (t) => {
      for (const path of ['/api/health/live', '/api/health/ready']) {
        for (let n = 0; n < 6; n++) t.equal(await ask(path), 200, path)
      }
    })
  })

  t.test(`a service without its database is alive but not ready (${engine})`, async (t) => {
    const { app, call } = await openService(t, { engine, sandbox: null })
    await app.database.close()
    t.equal((await call('GET', '/api/health/live', { key: null })).status, 200)
    t.equal((await call('GET', '/api/health/ready', { key: null })).status, 503)
    t.match(await call('GET', '/api/health'), {
      status: 200,
      body: { status: 'down', database: { engine, status: 'down' } }
    })
    const { status, body } = await call('GET', '/api/health/calendly')
    t.equal(status, 200)
    t.match(body, { inbox_lag_seconds: null, last_webhook_at: null, oldest_unresolved_booking: null })
    t.same(body.keys, [], 'what the client itself knows')
  })
}

const postgresql = { skip: !engines.includes('postgresql') && 'needs TEST_DATABASE_URL' }

t.test('a replica stays ready when a newer one has brought its migration', postgresql, async (t) => {
  const { call, database } = await openService(t, { engine: 'postgresql', sandbox: null })
  const newer = new pg.Client(database.url)
  await newer.connect()
  t.teardown(() => newer.end())
  await newer.query(
    `insert into schema_migrations (version, name, checksum) values (9999, '9999_newer', 'x')`
  )
  t.equal((await call('GET', '/api/health/ready', { key: null })).status, 200)
  await newer.query('delete from schema_migrations where version = 1')
  t.equal((await call('GET', '/api/health/ready', { key: null })).status, 503, 'but not without its own')
})
