import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { openProxy } from '../support/proxy.ts'
import { openService, type Service } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import { signatureOf, webhookBody } from '../support/webhook.ts'

const redisUrl = process.env.TEST_REDIS_URL
const perCaller = { RATE_LIMIT_PER_MINUTE: '5' }

const signing = { CALENDLY_WEBHOOK_SIGNING_KEY: 'a-signing-key-of-the-service' }

type Sent = { key?: string; id?: string; ageMs?: number }

/** A delivery as if it came from there. */
function webhook(
  { call, system }: Service,
  from: string,
  { id = randomUUID(), ageMs = 0, ...sent }: Sent = {}
) {
  const { key = signing.CALENDLY_WEBHOOK_SIGNING_KEY } = sent
  const body = webhookBody({ id, startTime: Date.parse('2030-01-01T00:00:00Z') })
  const signature = signatureOf(key, body, system.now() - ageMs)
  const headers = { 'x-forwarded-for': from, 'calendly-webhook-signature': signature }
  return call('POST', '/api/webhooks/calendly', { key: null, body, headers })
}

async function makeKey({ call }: Service, name: string): Promise<string> {
  const { body } = await call('POST', '/api/v1/caller-keys', { body: { name, scopes: ['bookings:read'] } })
  return body.key
}

const limited = {
  status: 429,
  headers: { 'retry-after': /^([1-9]|[1-5]\d|60)$/, 'content-type': /^application\/problem\+json/ },
  body: { code: 'rate_limited' }
}

for (const engine of engines) {
  t.test(`rate limits per caller (${engine})`, async (t) => {
    const service = await openService(t, { engine, sandbox: null, env: perCaller })
    const { call } = service
    const [shop, kiosk] = [await makeKey(service, 'shop'), await makeKey(service, 'kiosk')]
    const ask = (key: string) => call('GET', '/api/v1/bookings', { key })

    t.test('every answer tells what is left, and past it there is a 429 that tells when', async (t) => {
      for (const left of [4, 3, 2, 1, 0]) {
        const { status, headers } = await ask(shop)
        t.equal(status, 200)
        t.equal(headers['ratelimit-policy'], '"caller";q=5;w=60')
        t.match(headers.ratelimit, new RegExp(`^"caller";r=${left};t=([1-9]|[1-5]\\d|60)$`))
      }
      const refused = await ask(shop)
      t.match(refused, limited)
      t.match(refused.headers.ratelimit, /^"caller";r=0;t=/)
    })

    t.test('it counts callers, not their keys, and each on its own', async (t) => {
      t.equal((await ask(kiosk)).status, 200)
      const rotated = await makeKey(service, 'shop')
      t.match(await ask(rotated), limited)
    })

    t.test('health and webhooks are never turned away', async (t) => {
      for (const path of ['/api/health', '/api/health/live', '/api/health/ready', '/api/health/calendly']) {
        t.equal((await call('GET', path, { key: shop })).status, 200, path)
      }
      const webhook = await call('POST', '/api/webhooks/calendly', { key: null, body: '{}' })
      t.equal(webhook.status, 401)
    })
  })

  t.test(`rate limits per address (${engine})`, async (t) => {
    const service = await openService(t, {
      engine,
      sandbox: null,
      env: { RATE_LIMIT_PER_ADDRESS: '5', RATE_LIMIT_PER_MINUTE: '100' }
    })
    const { call } = service

    t.test('both limits are told', async (t) => {
      const { headers } = await call('GET', '/api/v1/bookings')
      t.equal(headers['ratelimit-policy'], '"address";q=5;w=60, "caller";q=100;w=60')
      t.match(headers.ratelimit, /^"address";r=4;t=\d+, "caller";r=99;t=\d+$/)
    })

    t.test('guessing keys and paths is limited before anybody is authenticated', async (t) => {
      for (let guess = 0; guess < 4; guess++) {
        t.equal((await call('GET', '/api/v1/bookings', { key: `guess-${guess}` })).status, 401)
      }
      t.match(await call('GET', '/api/v1/bookings', { key: 'guess-5' }), limited)
      t.match(await call('GET', '/no/such/path', { key: null }), limited)
      t.match(await call('GET', '/api/v1/bookings'), limited)
      t.equal((await call('GET', '/api/health/live', { key: null })).status, 200)
    })
  })

  t.test(`forgeries per address (${engine})`, async (t) => {
    const system = movableSystem()
    const env = { ...signing, RATE_LIMIT_PER_ADDRESS: '5', TRUST_PROXY: 'loopback' }
    const service = await openService(t, { engine, sandbox: null, env, system })
    const deliver = (from: string, options: Sent = {}) => webhook(service, from, options)
    const forge = (from: string) => deliver(from, { key: 'another-key' })

    t.test('past the limit they are refused before they are looked at, and told for how long', async (t) => {
      for (const left of [4, 3, 2, 1, 0]) {
        const { status, headers } = await forge('192.0.2.1')
        t.equal(status, 401)
        t.equal(headers['ratelimit-policy'], '"address";q=5;w=60')
        t.match(headers.ratelimit, new RegExp(`^"address";r=${left};t=([1-9]|[1-5]\\d|60)$`))
      }
      const refused = await forge('192.0.2.1')
      t.match(refused, limited)
      t.match(refused.headers.ratelimit, /^"address";r=0;t=/)
    })

    t.test('who has used up its forgeries is heard again a minute later', async (t) => {
      t.match(await deliver('192.0.2.1'), limited)
      system.moveTo(Date.now() + 61_000)
      t.equal((await deliver('192.0.2.1')).status, 204)
    })

    t.test('other addresses are heard meanwhile', async (t) => {
      for (let n = 0; n < 6; n++) await forge('192.0.2.2')
      t.match(await forge('192.0.2.2'), limited)
      t.equal((await forge('192.0.2.3')).status, 401)
      t.equal((await deliver('192.0.2.3')).status, 204)
    })

    t.test('what is genuine never counts, be it stale or a copy', async (t) => {
      const id = randomUUID()
      for (let n = 0; n < 12; n++) {
        t.equal((await deliver('192.0.2.4')).status, 204)
        t.equal((await deliver('192.0.2.4', { id })).status, 204, 'a copy')
        t.equal((await deliver('192.0.2.4', { ageMs: 600_000 })).status, 401, 'a stale one')
      }
      const { status, headers } = await forge('192.0.2.4')
      t.equal(status, 401)
      t.match(headers.ratelimit, /^"address";r=4;/)
    })

    t.test('what is not signed at all, or for a path that nobody has, is a forgery', async (t) => {
      for (let n = 0; n < 5; n++) {
        const path = n % 2 ? '/api/webhooks/calendly/nobody' : '/api/webhooks/calendly'
        const headers = { 'x-forwarded-for': '192.0.2.5' }
        t.equal((await service.call('POST', path, { key: null, body: '{}', headers })).status, 401)
      }
      t.match(await deliver('192.0.2.5'), limited)
    })

    t.test('requests with caller keys are counted apart', async (t) => {
      const headers = { 'x-forwarded-for': '192.0.2.2' }
      t.equal((await service.call('GET', '/api/v1/bookings', { headers })).status, 200)
    })
  })

  t.test(`without a limit forgeries are refused one by one (${engine})`, async (t) => {
    const service = await openService(t, { engine, sandbox: null, env: signing })
    for (let n = 0; n < 20; n++) {
      t.equal((await webhook(service, '192.0.2.1', { key: 'another-key' })).status, 401)
    }
    t.equal((await webhook(service, '192.0.2.1')).status, 204)
  })

  t.test(`a Redis that is not there limits nobody and stops nobody (${engine})`, async (t) => {
    const nowhere = 'redis://127.0.0.1:9'
    const service = await openService(t, { engine, sandbox: null, env: { ...perCaller, REDIS_URL: nowhere } })
    const key = await makeKey(service, 'shop')
    for (let asked = 0; asked < 7; asked++) {
      t.equal((await service.call('GET', '/api/v1/bookings', { key })).status, 200)
    }
    t.equal((await service.call('GET', '/api/health/ready')).status, 200)
  })
}

t.test('rate limits through Redis', { skip: redisUrl === undefined && 'needs TEST_REDIS_URL' }, async (t) => {
  const proxy = await openProxy(t, String(redisUrl))
  const env = { ...perCaller, REDIS_URL: proxy.url }
  const one = await openService(t, { sandbox: null, env })
  const two = await openService(t, { sandbox: null, env })
  const name = `shop-${randomUUID()}`
  const keys = [await makeKey(one, name), await makeKey(two, name)]
  const ask = (service: Service, index: number) =>
    service.call('GET', '/api/v1/bookings', { key: String(keys[index]) })

  t.test('replicas count together', async (t) => {
    const answers = []
    for (let round = 0; round < 3; round++) answers.push(await ask(one, 0), await ask(two, 1))
    t.same(
      answers.map(({ status }) => status),
      [200, 200, 200, 200, 200, 429]
    )
    t.match(answers.at(-1), limited)
  })

  t.test('replicas count forgeries together, and each refuses once it has seen one', async (t) => {
    const limited = { ...signing, REDIS_URL: proxy.url, RATE_LIMIT_PER_ADDRESS: '4', TRUST_PROXY: 'loopback' }
    const three = await openService(t, { sandbox: null, env: limited })
    const four = await openService(t, { sandbox: null, env: limited })
    const from = `2001:db8::${randomUUID().slice(0, 4)}`
    const forge = async (service: Service) => (await webhook(service, from, { key: 'another-key' })).status
    for (let round = 0; round < 2; round++) {
      t.equal(await forge(three), 401)
      t.equal(await forge(four), 401)
    }
    t.equal(await forge(four), 429)
    t.equal(await forge(three), 401, 'the last one it looks at')
    t.equal(await forge(three), 429)
  })

  t.test('a Redis that goes away costs no request', async (t) => {
    proxy.cut()
    for (let round = 0; round < 3; round++) t.equal((await ask(one, 0)).status, 200)
    t.equal((await one.call('GET', '/api/health/ready')).status, 200)
  })
})
