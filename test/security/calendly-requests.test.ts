import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { standard } from '../../src/sandbox/standard.ts'
import { openService, until } from '../support/service.ts'
import { signatureOf, webhookBody } from '../support/webhook.ts'

/** A server that must never be asked anything. */
const asked: string[] = []
const trap = createServer((request, response) => {
  asked.push(`${request.method} ${request.url}`)
  response.end('{}')
})
await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve))
t.teardown(() => trap.close())
const trapAddress = `127.0.0.1:${(trap.address() as AddressInfo).port}`

const { call, control } = await openService(t)
const id = standard.eventTypes.thirtyMinutes.replace(/.*\//, '')
const api = 'https://api.calendly.com'

const foreign = [
  `http://${trapAddress}/event_types/${id}`,
  `https://${trapAddress}/event_types/${id}`,
  `//${trapAddress}/event_types/${id}`,
  `${api}@${trapAddress}/event_types/${id}`,
  `${api}.evil.example/event_types/${id}`,
  `https://api.calendly.com%40${trapAddress}/event_types/${id}`,
  `https://api.calendly.com\\@${trapAddress}/event_types/${id}`,
  `http://169.254.169.254/latest/meta-data/event_types/${id}`,
  `file:///event_types/${id}`
]
const astray = [
  '..',
  '.',
  `../users/me`,
  `..%2fusers%2fme`,
  `%2e%2e%2fusers%2fme`,
  `%252e%252e%252fusers`,
  `${id}/../../users/me`,
  `${id}?user=x`,
  `${id}#x`,
  `${id}/`,
  `/${id}`,
  `${id}\\..\\x`,
  `${id}\r\nx-injected: 1`,
  `${id} HTTP/1.1`,
  `${api}/event_types/../users/me`,
  `${api}/users/ADAHOSTBERLIN234`,
  `${api}/event_types/${id}/../x`,
  `${api}/event_types/`,
  ';id',
  `${'x'.repeat(400)}`
]

const requests = async () =>
  (await control('GET', '/requests')).requests as { method: string; path: string }[]

t.test('an event type elsewhere or with a way out is unknown, and nobody is asked about it', async (t) => {
  // A key is verified once, before its first use.
  await until(
    () => call('GET', '/api/v1/calendly/keys'),
    ({ body }) => body.data[0]?.state === 'active'
  )
  await control('DELETE', '/requests')
  const soon = Date.now() + 86_400_000
  const range = {
    start_time: new Date(soon).toISOString(),
    end_time: new Date(soon + 86_400_000).toISOString()
  }
  for (const [index, given] of [...foreign, ...astray].entries()) {
    const name = given.slice(0, 60)
    const read = await call('GET', `/api/v1/event-types/${encodeURIComponent(given)}`)
    t.ok([400, 404].includes(read.status), name)
    const query = new URLSearchParams({ event_type: given, ...range, timezone: 'UTC' })
    t.equal((await call('GET', `/api/v1/availability?${query}`)).body.code, 'event_type_not_found', name)
    const booked = await call('POST', '/api/v1/bookings', {
      idempotencyKey: `astray-${index}`,
      body: {
        event_type: given,
        start_time: range.start_time,
        invitee: { name: 'Ada', email: 'ada@example.com', timezone: 'UTC' }
      }
    })
    t.equal(booked.body.code, 'event_type_not_found', name)
  }
  t.same(await requests(), [])
  t.same(asked, [])
})

t.test('an id never changes the path that Calendly is asked', async (t) => {
  await control('DELETE', '/requests')
  for (const given of ['a..b', 'a.b-c_d~e', '__proto__', 'constructor']) {
    await call('GET', `/api/v1/event-types/${encodeURIComponent(given)}`)
  }
  for (const { method, path } of await requests()) {
    t.equal(method, 'GET')
    t.match(path, /^\/(users\/me|event_types\/[\w.~-]+)$/)
  }
})

t.test('a genuine webhook cannot send us anywhere but to its own event at Calendly', async (t) => {
  await control('DELETE', '/requests')
  const uris = [
    `http://${trapAddress}/scheduled_events/E1`,
    `${api}/scheduled_events/../users/me?`,
    `${api}/scheduled_events/E1/../../users`,
    `http://${trapAddress}/scheduled_events/%2e%2e`
  ]
  for (const [index, uri] of uris.entries()) {
    const body = webhookBody({ id: `S${index}`, payload: { uri: `${uri}/invitees/I1`, event: uri } })
    // A stale one is not believed, so its subject is read from Calendly.
    const signature = signatureOf(standard.signingKey, body, Date.now() - 600_000)
    const headers = { 'calendly-webhook-signature': signature }
    t.equal((await call('POST', '/api/webhooks/calendly', { key: null, body, headers })).status, 401)
    // Once it was looked after, its repetition is acknowledged.
    await until(
      () => call('POST', '/api/webhooks/calendly', { key: null, body, headers }),
      ({ status }) => status === 204
    )
  }
  for (const { path } of await requests()) {
    t.match(path, /^\/scheduled_events\/E1(\/invitees\/I1)?$|^\/users\/me$/)
  }
  t.same(asked, [])
})

t.test('Calendly was never asked anything it does not know', async (t) => {
  t.same((await control('GET', '/violations')).violations, [])
})
