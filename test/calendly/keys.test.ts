import nock from 'nock'
import t from 'tap'
import { api, me, openTestClient, unauthenticated } from './fixtures/client.ts'

nock.disableNetConnect()
t.afterEach(() => nock.cleanAll())

const keys = [
  { name: 'primary', token: 'token-of-primary' },
  { name: 'secondary', token: 'token-of-secondary' }
]
const asking = (token: string) =>
  nock(api, { reqheaders: { authorization: `Bearer ${token}` } }).get('/users/me')
const healthOf = ({ calendly }: ReturnType<typeof openTestClient>) =>
  calendly.health().keys.map((key) => key.health)

t.test('a refused key hands the same request to the next and rests until its probe', async (t) => {
  const client = openTestClient({ keys, keyProbeMs: 60_000 })
  const refused = asking('token-of-primary').reply(401, unauthenticated)
  const answered = asking('token-of-secondary').times(2).reply(200, me)
  await client.calendly.ping()
  t.ok(refused.isDone())
  await client.calendly.ping()
  t.ok(answered.isDone(), 'the second request did not try the refused key')
  t.same(client.calendly.health().keys, [
    { name: 'primary', lastFour: 'mary', health: 'invalid' },
    { name: 'secondary', lastFour: 'dary', health: 'ok' }
  ])

  client.pass(60_000)
  const probed = asking('token-of-primary').reply(200, me)
  await client.calendly.ping()
  t.ok(probed.isDone())
  t.same(healthOf(client), ['ok', 'ok'])
})

t.test('a hundred requests that meet a dead key all succeed, each moving on once', async (t) => {
  const client = openTestClient({ keys })
  asking('token-of-primary').times(100).reply(401, unauthenticated)
  asking('token-of-secondary').times(100).reply(200, me)
  await Promise.all(Array.from({ length: 100 }, () => client.calendly.ping()))
  const { requests } = client.calendly.health()
  t.match(requests, { 'GET /users/me': { count: 200, errors: 100 } })
  t.equal(client.logged.filter(({ message }) => message === 'calendly refused a key').length, 1, 'said once')
})

t.test('with every key refused, reads say so and when the next probe is', async (t) => {
  const client = openTestClient({ keys, keyProbeMs: 60_000 })
  for (const { token } of keys) asking(token).reply(401, unauthenticated)
  await t.rejects(client.calendly.ping(), { code: 'calendly_unavailable', retryAfterMs: 60_000 })
  client.pass(20_000)
  await t.rejects(client.calendly.ping(), { code: 'calendly_unavailable', retryAfterMs: 40_000 })
  t.same(client.calendly.health().requests, {
    'GET /users/me': { count: 2, errors: 2, p50: 0, p95: 0, p99: 0 }
  })
})

t.test('a forbidden request is not tried with another key, and the key stays good', async (t) => {
  const client = openTestClient({ keys })
  asking('token-of-primary').reply(403, {
    title: 'Insufficient scope',
    message: 'No.',
    required_scopes: ['users:read']
  })
  await t.rejects(client.calendly.ping(), { code: 'calendly_unavailable', cause: { status: 403 } })
  t.same(healthOf(client), ['ok', 'ok'])
})

t.test('without any key a read names the reason and sends nothing', async (t) => {
  const { calendly } = openTestClient({ keys: [] })
  await t.rejects(calendly.user(), {
    code: 'calendly_unavailable',
    message: 'No Calendly credential is configured'
  })
})

t.test('no token reaches the log', async (t) => {
  const client = openTestClient({ keys })
  for (const { token } of keys) asking(token).reply(401, unauthenticated)
  await t.rejects(client.calendly.ping())
  t.ok(client.logged.length > 0)
  t.notMatch(JSON.stringify([client.logged, client.calendly.health()]), /token-of/)
})
