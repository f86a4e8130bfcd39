import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { openProxy } from '../support/proxy.ts'
import { openService, type Service } from '../support/service.ts'

const redisUrl = process.env.TEST_REDIS_URL
const perCaller = { RATE_LIMIT_PER_MINUTE: '5' }

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

  t.test('a Redis that goes away costs no request', async (t) => {
    proxy.cut()
    for (let round = 0; round < 3; round++) t.equal((await ask(one, 0)).status, 200)
    t.equal((await one.call('GET', '/api/health/ready')).status, 200)
  })
})
