import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { request } from 'undici'
import { hashOf } from '../../src/core/callers.ts'
import { renderFamilies } from '../../src/plugins/exposition.ts'
import { engines } from '../support/database.ts'
import { type Answer, openService, type Service, until } from '../support/service.ts'
import { book, cancel, deliver } from './support/client.ts'

type Sample = { name: string; labels: string; value: number }

/** Reads the text format strictly; throws for what Prometheus would not take. */
function read(text: string) {
  const types = new Map<string, string>()
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue
    const [, family, type] = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line) ?? []
    const label = String.raw`[a-z_]+="(?:[^"\\]|\\["\\n])*"`
    const sample = new RegExp(String.raw`^([a-z_\d]+)(?:\{(${label}(?:,${label})*)\})? (\S+)$`).exec(line)
    if (family !== undefined && type !== undefined) {
      if (types.has(family)) throw new Error(`two families ${family}`)
      types.set(family, type)
    } else if (sample) {
      const [, name = '', labels = '', value] = sample
      if (!types.has(name) && !types.has(name.replace(/_(bucket|sum|count)$/, ''))) throw new Error(line)
      if (samples.some((other) => other.name === name && other.labels === labels)) throw new Error(line)
      samples.push({ name, labels, value: Number(value) })
    } else throw new Error(line)
  }
  /** The value of the only sample of this name with these labels among others. */
  function value(name: string, labels: Record<string, string> = {}): number | undefined {
    const wanted = Object.entries(labels).map(([label, text]) => `${label}="${text}"`)
    const found = samples.filter(
      (one) => one.name === name && wanted.every((pair) => one.labels.includes(pair))
    )
    if (found.length > 1) throw new Error(`${found.length} samples of ${name}`)
    return found[0]?.value
  }
  return { types, samples, value }
}

async function scrape({ call }: Pick<Service, 'call'>) {
  const answer = await call('GET', '/metrics', { key: null })
  t.equal(answer.status, 200)
  t.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  return { ...read(answer.text), text: answer.text }
}

const eventTypes = { endpoint: 'GET /event_types' }

for (const engine of engines) {
  t.test(`metrics (${engine})`, async (t) => {
    const service = await openService(t, { engine, webhooks: true })
    const { call, control, app } = service
    const list = () => call('GET', '/api/v1/event-types')

    t.test('requests are counted by method, pattern and class of status', async (t) => {
      for (const path of ['/api/v1/event-types/UNHEARDOF2345678', '/api/v1/event-types/CONSULTATION2345']) {
        await call('GET', path)
      }
      await call('GET', '/nowhere/ada@example.com', { key: null })
      const count = (await scrape(service)).value
      const counted = 'http_request_duration_seconds_count'
      const route = '/api/v1/event-types/:id'
      t.equal(count(counted, { method: 'GET', route, status: '2xx' }), 1)
      t.equal(count(counted, { method: 'GET', route, status: '4xx' }), 1)
      t.equal(count(counted, { method: 'GET', route: 'unknown', status: '4xx' }), 1)
      t.ok(Number(count('http_requests_in_flight')) >= 1, 'the scrape itself')
    })

    t.test('keys, quotas, breakers, cache and subscription are told', async (t) => {
      await list()
      const { value } = await until(
        () => scrape(service),
        (metrics) => metrics.value('calendly_subscription_state', { state: 'active' }) === 1
      )
      const key = { key: 'primary' }
      t.equal(value('calendly_key_health', { ...key, health: 'ok' }), 1)
      t.equal(value('calendly_key_health', { ...key, health: 'invalid' }), 0)
      t.equal(value('calendly_key_state', { ...key, state: 'active' }), 1)
      t.equal(value('calendly_key_calls_limit', key), 10_000)
      t.ok(Number(value('calendly_key_created_timestamp_seconds', key)) > 1.7e9)
      const user = { user: 'ADAHOSTBERLIN234' }
      t.ok(Number(value('calendly_quota_limit', user)) > 0)
      t.ok(Number(value('calendly_quota_remaining', user)) > 0)
      for (const breaker of ['reads', 'writes']) {
        t.equal(value('calendly_breaker_state', { breaker, state: 'closed' }), 1)
        t.equal(value('calendly_breaker_state', { breaker, state: 'open' }), 0)
      }
      t.ok(Number(value('calendly_cache_entries')) > 0)
      t.ok(Number(value('calendly_cache_bytes')) > 0)
      t.equal(value('calendly_subscription_retry_started_timestamp_seconds'), undefined)
      t.equal(value('calendly_subscription_missed_since_timestamp_seconds'), undefined)
      t.ok(Number(value('calendly_subscription_checks_total', { result: 'done' })) > 0)
    })

    t.test('the inbox and bookings in doubt are told', async (t) => {
      t.equal((await scrape(service)).value('booking_unresolved_since_timestamp_seconds'), undefined)
      await control('POST', '/faults', {
        match: { method: 'POST', path: '/invitees' },
        kind: 'latency',
        latency_ms: 1_500,
        times: 1
      })
      const booking = book(service)
      const { value } = await until(
        () => scrape(service),
        (metrics) => Number(metrics.value('booking_unresolved_since_timestamp_seconds')) > 1.7e9
      )
      t.equal((await booking).status, 201)
      t.equal(value('webhook_inbox_dead'), 0)
      t.equal(typeof value('webhook_inbox_waiting'), 'number')
      t.equal(typeof value('webhook_inbox_lag_seconds'), 'number')
    })

    t.test(
      'calls to Calendly are counted by endpoint, with what went wrong and how long they took',
      async (t) => {
        await list()
        const before = await scrape(service)
        await control('POST', '/faults', { kind: 'status', status: 503 })
        t.equal((await call('GET', '/api/v1/event-types/WORKSHOP23456789')).status, 503)
        const after = await scrape(service)
        const failing = { endpoint: 'GET /event_types/{uuid}' }
        const grown = (name: string, labels: Record<string, string>) =>
          (after.value(name, labels) ?? 0) - (before.value(name, labels) ?? 0)
        t.equal(grown('calendly_calls_total', failing), 3)
        t.equal(grown('calendly_call_errors_total', { ...failing, class: 'server' }), 3)
        t.equal(grown('calendly_call_retries_total', failing), 2)
        t.equal(grown('calendly_call_duration_seconds_count', failing), 3)
        t.ok(Number(after.value('calendly_failures_in_a_row')) >= 3)
        t.equal(after.value('calendly_status', { status: 'down' }), 1)
        t.ok(Number(before.value('calendly_call_duration_seconds_sum', eventTypes)) > 0)
        t.ok(Number(before.value('calendly_call_duration_seconds', { ...eventTypes, quantile: '0.99' })) < 10)
        t.ok(Number(before.value('calendly_calls_per_request')) > 0)
        await control('DELETE', '/faults')
      }
    )

    t.test('a database that is away leaves out what it would know, and nothing else', async (t) => {
      await app.database.close()
      const { value, types } = await scrape(service)
      t.equal(value('database_up'), 0)
      t.equal(value('webhook_inbox_waiting'), undefined)
      t.ok(types.has('webhook_inbox_waiting'))
      t.equal(value('calendly_key_health', { key: 'primary', health: 'ok' }), 1)
      t.ok(Number(value('calendly_calls_total', eventTypes)) > 0)
    })
  })
}

t.test('the documentation has every metric, its type and its labels, and no other', async (t) => {
  const service = await openService(t, { webhooks: true })
  await service.call('GET', '/api/v1/event-types')
  const { types, samples } = await scrape(service)
  const manual = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8')
  const rows = manual.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
  const documented = new Map(
    rows
      .slice(rows.findIndex(([, name]) => name === 'metric') + 2)
      .filter((cells) => cells.length === 6)
      .map(([, name = '', type = '', labels = '']) => [name, { type, labels }])
  )
  t.ok(documented.delete('`process_*`, `nodejs_*`'), 'those of prom-client are told by their prefix')
  const own = [...types].filter(([name]) => !/^(process|nodejs)_/.test(name))
  t.same(
    own.map(([name, type]) => `${name} ${type}`).sort(),
    [...documented].map(([name, { type }]) => `${name.replaceAll('`', '')} ${type}`).sort()
  )
  for (const [name] of own) {
    const labels = samples
      .filter((sample) => sample.name === name || sample.name === `${name}_count`)
      .flatMap((sample) => [...sample.labels.matchAll(/([a-z_]+)="/g)].map(([, label]) => label))
    const told = documented.get(`\`${name}\``)?.labels ?? ''
    for (const label of new Set(labels)) t.match(told, `\`${label}\``, `${name} has the label ${label}`)
  }
})

t.test('no metric holds a token, a key, an address of a person or an id', async (t) => {
  const callerKey = `cgw_${randomBytes(32).toString('base64url')}`
  const service = await openService(t, { env: { CALENDLY_API_TOKEN_SECONDARY: 'another-sandbox-token' } })
  const { call, config, sandbox } = service
  const email = 'canary@person.example'
  const booked = await book(service, { invitee: { name: 'Canary', email, timezone: 'UTC' } })
  t.equal(booked.status, 201)
  await call('GET', `/api/v1/bookings?invitee_email=${email}`)
  await call('GET', `/api/v1/bookings/${booked.body.id}`)
  await call('GET', `/nowhere/${email}?token=${sandbox?.token}`, { key: callerKey })
  await cancel(service, booked.body.id)
  await deliver(service, '{}')
  const { text } = await scrape(service)
  const [event, invitee] = [booked.body.calendly.event, booked.body.calendly.invitee].map((uri: string) =>
    uri.split('/').at(-1)
  )
  const secrets = [
    ...[sandbox?.token, sandbox?.signingKey, config.adminApiKey, callerKey, 'another-sandbox-token'],
    ...[email, 'canary', 'Canary', '@', 'example', booked.body.id, event, invitee]
  ]
  for (const secret of secrets) t.notOk(text.includes(String(secret)), String(secret))
})

const strangers: Record<string, Record<string, string>> = {
  'who comes through a proxy': { 'x-forwarded-for': '203.0.113.7' },
  'who claims to come from here': { 'x-forwarded-for': '127.0.0.1' },
  'who claims it in the newer way': { forwarded: 'for=127.0.0.1' },
  'of whom a proxy says only that it is there': { via: '1.1 proxy' },
  'whose proxy says no more than the protocol': { 'x-forwarded-proto': 'https' }
}

for (const trusted of ['false', 'true', 'loopback']) {
  t.test(`metrics are not for strangers, with TRUST_PROXY ${trusted}`, async (t) => {
    const { call } = await openService(t, { sandbox: null, env: { TRUST_PROXY: trusted } })
    for (const [name, headers] of Object.entries(strangers)) {
      const refused = await call('GET', '/metrics', { key: null, headers })
      t.match(refused, { status: 401, body: { code: 'unauthenticated' } }, name)
      t.notMatch(refused.text, 'process_')
      t.equal((await call('GET', '/metrics', { headers })).status, 200, `${name}, with the admin's key`)
    }
    t.equal((await call('GET', '/metrics', { key: null })).status, 200, 'the machine itself is none')
  })
}

t.test('metrics are for the machine itself and the operator', async (t) => {
  const theirs = `cgw_${randomBytes(32).toString('base64url')}`
  const { app, call } = await openService(t, {
    sandbox: null,
    prepare: async (db) => {
      await db.insertInto('tenants').values({ id: 'other', name: 'Other' }).execute()
      const row = {
        id: 'key_01k00000000000000000000000',
        tenant_id: 'other',
        name: 'admin',
        scopes: ['admin']
      }
      const created_at = new Date().toISOString()
      await db
        .insertInto('caller_keys')
        .values({ ...row, key_hash: hashOf(theirs), created_at })
        .execute()
    }
  })
  const made = await call('POST', '/api/v1/caller-keys', {
    body: { name: 'reader', scopes: ['bookings:read', 'keys:write'] }
  })
  const from = async (remoteAddress: string, key?: string) => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
    const { statusCode: status, body } = await app.inject({ url: '/metrics', remoteAddress, headers })
    return status === 200 ? status : `${status} ${JSON.parse(body).code}`
  }
  for (const address of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1']) {
    t.equal(await from(address), 200, address)
  }
  for (const address of [
    '203.0.113.7',
    '10.0.0.1',
    '::ffff:10.0.0.1',
    'fd00::1',
    '::127.0.0.1',
    '1127.0.0.1'
  ]) {
    t.equal(await from(address), '401 unauthenticated', address)
  }
  t.equal(await from('203.0.113.7', 'cgw_unknown'), '401 unauthenticated')
  t.equal(await from('203.0.113.7', made.body.key), '403 insufficient_scope')
  t.equal(await from('203.0.113.7', theirs), '403 insufficient_scope', 'the machine is not that tenant’s')
  t.match((await call('GET', '/api/health/calendly', { key: theirs })).body.keys, undefined)
})

t.test('keys are not guessed at the metrics without limit', async (t) => {
  const { call } = await openService(t, { sandbox: null, env: { RATE_LIMIT_PER_ADDRESS: '3' } })
  const headers = { 'x-forwarded-for': '203.0.113.7' }
  const answers = []
  for (let n = 0; n < 5; n++)
    answers.push((await call('GET', '/metrics', { key: `guess-${n}`, headers })).status)
  t.same(answers, [401, 401, 401, 429, 429])
})

t.test('with METRICS_PORT metrics are there and only there', async (t) => {
  const said: string[] = []
  const logger = { level: 'info', stream: { write: (line: string) => void said.push(line) } }
  const { app, call } = await openService(t, { sandbox: null, env: { METRICS_PORT: '0' }, logger })
  const address = /Metrics at (http:\/\/127\.0\.0\.1:\d+)\/metrics/.exec(said.join('\n'))?.[1] ?? ''
  const ask = async (path: string, headers = {}): Promise<Pick<Answer, 'status' | 'text'>> => {
    const { statusCode, body } = await request(`${address}${path}`, { headers, reset: true })
    return { status: statusCode, text: await body.text() }
  }
  t.match(await call('GET', '/metrics'), { status: 404, body: { code: 'not_found' } })
  const { status, text } = await ask('/metrics', { 'x-forwarded-for': '203.0.113.7' })
  t.equal(status, 200)
  t.equal(read(text).value('http_request_duration_seconds_count', { route: 'unknown' }), 1)
  for (const path of ['/', '/metrics/more', '/api/health', '/api/v1/bookings', '/openapi.json']) {
    t.match(await ask(path), { status: 404, text: /"code":"not_found"/ }, path)
  }
  await app.close()
  await t.rejects(ask('/metrics'), { code: 'ECONNREFUSED' })
})

t.test('a METRICS_PORT that is taken stops the start', async (t) => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => other.close())
  const address = other.address()
  const port = typeof address === 'object' ? address?.port : undefined
  await t.rejects(openService(t, { sandbox: null, env: { METRICS_PORT: String(port) } }), {
    code: 'EADDRINUSE'
  })
})

t.test('two services in one process do not count together', async (t) => {
  const [one, two] = [await openService(t, { sandbox: null }), await openService(t, { sandbox: null })]
  for (let n = 0; n < 3; n++) await one.call('GET', '/api/v1/bookings')
  const counted = async (service: Service) =>
    (await scrape(service)).value('http_request_duration_seconds_count', { route: '/api/v1/bookings' })
  t.equal(await counted(one), 3)
  t.equal(await counted(two), undefined)
})

t.test('a label may hold any text', async (t) => {
  const families = [
    { name: 'a', type: 'gauge' as const, help: 'A.', read: () => [[1, { b: 'a"b\\c\nd' }] as const] }
  ]
  t.equal(renderFamilies(families, {}), '# HELP a A.\n# TYPE a gauge\na{b="a\\"b\\\\c\\nd"} 1\n')
})
