import nock from 'nock'
import t from 'tap'
import { api, me, notFound, openTestClient } from './fixtures/client.ts'

nock.disableNetConnect()
t.afterEach(() => nock.cleanAll())

const event = `${api}/scheduled_events/E1`
const unavailable = { code: 'calendly_unavailable' }
const reading = () => nock(api).get('/scheduled_events/E1')
const canceling = () => nock(api).post('/scheduled_events/E1/cancellation')

function open() {
  const client = openTestClient()
  const stateOf = (name: string) =>
    client.calendly.health().breakers.find((breaker) => breaker.name === name)?.state
  return { ...client, stateOf, read: () => client.calendly.findEvent(event) }
}

t.test('reads that fail ten times in a row are at rest, unasked, and writes go on', async (t) => {
  const client = open()
  const failing = reading().times(20).reply(503)
  for (let i = 0; i < 10; i++) await t.rejects(client.read(), unavailable)
  t.notOk(failing.isDone())
  t.match(client.calendly.health(), { calls: 10, failuresInARow: 10 })
  await t.rejects(client.read(), { ...unavailable, retryAfterMs: /\d+/ })
  canceling().reply(201, { resource: {} })
  t.match(await client.calendly.cancelEvent(event), { kind: 'done' })
  t.same([client.stateOf('reads'), client.stateOf('writes')], ['open', 'closed'])
})

t.test('writes at rest were certainly not done; the next one after it is let through', async (t) => {
  const client = open()
  canceling().times(10).reply(500)
  for (let i = 0; i < 10; i++) {
    t.match(await client.calendly.cancelEvent(event), { kind: 'ambiguous' })
  }
  t.match(await client.calendly.cancelEvent(event), { kind: 'not_done', retryAfterMs: 5_000 })
  client.pass(5_000)
  t.equal(client.stateOf('writes'), 'half_open')
  canceling().delay(20).reply(201, { resource: {} })
  const outcomes = await Promise.all([client.calendly.cancelEvent(event), client.calendly.cancelEvent(event)])
  t.match(outcomes, [{ kind: 'done' }, { kind: 'not_done' }], 'one alone')
  t.equal(client.stateOf('writes'), 'closed')
})

t.test('refusals, throttling included, are answers', async (t) => {
  const client = open()
  reading().times(20).reply(404, notFound)
  for (let i = 0; i < 20; i++) await client.read()
  nock(api).get('/scheduled_events/E2').times(20).reply(429, {}, { 'x-ratelimit-reset': '60' })
  await t.rejects(client.calendly.findEvent(`${api}/scheduled_events/E2`), unavailable)
  t.equal(client.stateOf('reads'), 'closed')
})

t.test('without any traffic the end of an outage is noticed', async (t) => {
  const client = open()
  reading().times(20).reply(503)
  for (let i = 0; i < 10; i++) await t.rejects(client.read(), unavailable)
  await client.calendly.maintain()
  t.equal(client.calendly.health().calls, 10, 'not while it rests')

  client.pass(5_000)
  nock(api).get('/users/me').reply(503)
  await client.calendly.maintain()
  t.equal(client.stateOf('reads'), 'open')

  client.pass(5_000)
  nock(api).get('/users/me').reply(200, me)
  await client.calendly.maintain()
  t.match(client.calendly.health(), { failuresInARow: 0 })
  t.equal(client.stateOf('reads'), 'closed')
  await client.calendly.maintain()
  t.equal(client.calendly.health().calls, 12, 'a healthy Calendly is left alone')
})

t.test('so is that of a trouble too short to open anything', async (t) => {
  const client = open()
  reading().times(3).reply(503)
  await t.rejects(client.read(), unavailable)
  await client.calendly.maintain()
  t.equal(client.calendly.health().calls, 3, 'traffic may show it')
  client.pass(5_000)
  nock(api).get('/users/me').reply(200, me)
  await client.calendly.maintain()
  t.match(client.calendly.health(), { failuresInARow: 0, calls: 4 })
})

t.test('every exchange is told by what it ended in', async (t) => {
  const client = open()
  for (const status of [404, 403, 400, 302, 501]) {
    reading().reply(status)
    await client.read().catch(() => {})
  }
  reading()
    .reply(408)
    .get('/scheduled_events/E1')
    .reply(200, '{"resou')
    .get('/scheduled_events/E1')
    .reply(500)
  await t.rejects(client.read(), unavailable)
  reading().reply(401)
  nock(api).get('/users/me').reply(401)
  await t.rejects(client.read(), unavailable)
  const classes = {
    not_found: 1,
    forbidden: 1,
    refused: 1,
    unreadable: 2,
    server: 2,
    timeout: 1,
    unauthenticated: 1
  }
  t.match(client.calendly.health(), {
    calls: 10,
    retries: 2,
    requests: { 'GET /scheduled_events/{uuid}': { count: 9, errors: 6, retries: 2, errorsByClass: classes } }
  })
})
