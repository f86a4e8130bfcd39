import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import nock from 'nock'
import t from 'tap'
import type { CalendlyOptions } from '../../src/calendly/client.ts'
import { createTestKeys, type GivenKey, testOwner } from '../support/keys.ts'
import { api, forbidden, me, openTestClient, startOfTest, unauthenticated } from './fixtures/client.ts'

nock.disableNetConnect()
t.afterEach(() => nock.cleanAll())

const primary = { name: 'primary', token: 'token-of-primary' }
const secondary = { name: 'secondary', token: 'token-of-secondary' }
const otherUser = { user: `${api}/users/U2` }
const event = { uri: `${api}/scheduled_events/E1`, status: 'active' }
const times = { start_time: '2026-12-01T15:00:00Z', end_time: '2026-12-01T15:30:00Z' }

const from = ({ token }: { token: string }) => nock(api, { reqheaders: { authorization: `Bearer ${token}` } })
/** A read of the service, by that key. */
const reading = (key: { token: string }) => from(key).get('/scheduled_events/E1')
/** The question whose key it is. */
const verifying = (key: { token: string }) => from(key).get('/users/me')
const found = { resource: { ...event, ...times } }

function open(keys: GivenKey[], options: Partial<CalendlyOptions> = {}) {
  const source = createTestKeys(...keys)
  const client = openTestClient({ keys: source.source, ...options })
  return {
    ...client,
    source,
    read: () => client.calendly.findEvent(event.uri),
    health: () => client.calendly.health().keys.map(({ health }) => health),
    errors: () => client.logged.filter(({ level }) => level === 'error').map(({ message }) => message)
  }
}
/** Until that many verifications have come to their end; the test's own time-out is the only limit. */
async function verified({ calendly }: ReturnType<typeof open>, count: number) {
  const isDone = () => calendly.health().requests['GET /users/me']?.count === count
  while (!isDone()) await new Promise((turn) => setImmediate(turn))
  await new Promise((turn) => setImmediate(turn))
}

t.test('a hundred requests that meet a dead key each move on once, and it is verified once', async (t) => {
  const client = open([primary, secondary])
  reading(primary).times(100).reply(401, unauthenticated)
  reading(secondary).times(100).reply(200, found)
  verifying(primary).times(100).reply(401, unauthenticated)
  const answers = await Promise.all(Array.from({ length: 100 }, client.read))
  t.ok(answers.every((answer) => answer?.uri === event.uri))
  await verified(client, 1)
  t.match(client.calendly.health().requests, {
    'GET /scheduled_events/{uuid}': { count: 200, errors: 100, retries: 0 },
    'GET /users/me': { count: 1 }
  })
  t.same(client.health(), ['invalid', 'ok'])
  t.same(client.source.told.refused, ['primary'])
  t.same(client.errors(), ['calendly refused a key'])
  t.same(client.announced, [{ kind: 'keys' }])

  await client.read().catch(() => {})
  t.match(
    client.calendly.health().requests,
    { 'GET /scheduled_events/{uuid}': { count: 201 } },
    'not tried again'
  )
})

t.test('a late refusal of a key that was verified meanwhile does not verify it again', async (t) => {
  const client = open([primary, secondary])
  verifying(primary).times(2).reply(200, me)
  reading(primary).reply(401, unauthenticated)
  reading(primary).delay(100).reply(401, unauthenticated)
  reading(secondary).times(2).reply(200, found)
  await Promise.all([client.read(), client.read()])
  await verified(client, 1)
  t.match(client.calendly.health().requests, { 'GET /users/me': { count: 1 } })
  t.same(client.health(), ['ok', 'ok'])
})

t.test('while a key is being verified, another one is used', async (t) => {
  const client = open([primary, secondary])
  reading(primary).reply(401, unauthenticated)
  reading(secondary).times(2).reply(200, found)
  verifying(primary).delay(100).reply(200, me)
  await client.read()
  await client.read()
  t.match(client.calendly.health().requests, { 'GET /scheduled_events/{uuid}': { count: 3, errors: 1 } })
  await verified(client, 1)
})

t.test('a refused key that is verified to be fine stays in use', async (t) => {
  const client = open([primary, secondary])
  reading(primary).reply(401, unauthenticated)
  reading(secondary).reply(200, found)
  verifying(primary).reply(200, me)
  await client.read()
  await verified(client, 1)
  t.same(client.health(), ['ok', 'ok'])
  t.same(client.source.told, { ...client.source.told, accepted: [], refused: [] })
  const again = reading(primary).reply(200, found)
  await client.read()
  t.ok(again.isDone())
})

t.test('the only key, refused by mistake, is tried once more when it proves to be fine', async (t) => {
  const client = open([primary])
  reading(primary).reply(401, unauthenticated).get('/scheduled_events/E1').reply(200, found)
  verifying(primary).reply(200, me)
  t.match(await client.read(), { uri: event.uri })

  reading(primary).times(3).reply(401, unauthenticated)
  verifying(primary).times(3).reply(200, me)
  await t.rejects(client.read(), { code: 'calendly_unavailable', cause: { status: 401 } })
  t.match(client.calendly.health().requests, { 'GET /scheduled_events/{uuid}': { count: 4 } }, 'and no more')
  await verified(client, 3)
})

t.test('with every key refused, reads say so, and the next ones ask nobody', async (t) => {
  const client = open([primary, secondary])
  for (const key of [primary, secondary]) {
    reading(key).reply(401, unauthenticated)
    verifying(key).reply(401, unauthenticated)
  }
  const unavailable = { code: 'calendly_unavailable', retryAfterMs: 10_000 }
  await t.rejects(client.read(), { ...unavailable, cause: { status: 401 } })
  await t.rejects(client.read(), unavailable)
  t.same(client.health(), ['invalid', 'invalid'])
  t.equal(client.calendly.health().calls, 4)
})

t.test('a doubt that cannot be cleared up does not lose the key', async (t) => {
  const client = open([primary])
  reading(primary).reply(401, unauthenticated)
  verifying(primary).times(3).reply(503)
  await t.rejects(client.read(), { code: 'calendly_unavailable', cause: { status: 401 } })
  t.same(client.health(), ['ok'])
  verifying(primary).reply(200, me)
  reading(primary).reply(200, found)
  t.match(await client.read(), { uri: event.uri })
})

t.test('a forbidden request is not tried with another key, and the key stays good', async (t) => {
  const client = open([primary, secondary])
  reading(primary).reply(403, { title: 'Insufficient scope', message: 'No.', required_scopes: ['a'] })
  await t.rejects(client.read(), { code: 'calendly_unavailable', cause: { status: 403 } })
  t.same(client.health(), ['ok', 'ok'])
  t.equal(client.calendly.health().calls, 1)
})

t.test('a booking moves on from a dead key, since nothing was executed', async (t) => {
  const client = open([primary, secondary])
  const canceling = (key: { token: string }) => from(key).post('/scheduled_events/E1/cancellation')
  canceling(primary).reply(401, unauthenticated)
  verifying(primary).reply(401, unauthenticated)
  canceling(secondary).reply(201, { resource: { canceler_type: 'host' } })
  t.match(await client.calendly.cancelEvent(event.uri), { kind: 'done' })
})

t.test('a new key is verified before its first use, once for all who wait', async (t) => {
  const client = open([{ ...primary, state: 'pending' }])
  const verified = verifying(primary).reply(200, me)
  let isVerified = false
  verified.on('replied', () => {
    isVerified = true
  })
  reading(primary)
    .times(50)
    .reply(() => [isVerified ? 200 : 500, found])
  await Promise.all(Array.from({ length: 50 }, client.read))
  t.match(client.calendly.health().requests, {
    'GET /users/me': { count: 1 },
    'GET /scheduled_events/{uuid}': { count: 50, errors: 0 }
  })
  t.same(client.source.told.accepted, ['primary'])
  t.match(client.source.keys(), [{ state: 'active', ...testOwner }])
  t.same(client.announced, [{ kind: 'keys' }])
})

t.test('a new key that Calendly does not know is never used', async (t) => {
  const client = open([{ ...primary, state: 'pending' }, secondary])
  verifying(primary).reply(401, unauthenticated)
  reading(secondary).times(2).reply(200, found)
  await client.read()
  await client.read()
  t.same(client.source.told.refused, ['primary'])
  t.same(client.health(), ['invalid', 'ok'])
})

t.test("another organization's key is not used", async (t) => {
  const client = open([{ ...primary, state: 'pending' }, secondary])
  verifying(primary)
    .times(3)
    .reply(200, { resource: { ...me.resource, current_organization: `${api}/organizations/O2` } })
  reading(secondary).times(2).reply(200, found)
  const misused = reading(primary).reply(200, found)
  await client.read()
  await client.calendly.maintain()
  await client.read()
  t.notOk(misused.isDone())
  t.same(client.health(), ['invalid', 'ok'])
  t.same(client.source.told.accepted, [])
  t.same(client.errors(), ['calendly key belongs to another organization'], 'said once')

  client.source.set(primary)
  await client.calendly.syncKeys()
  await client.read()
  t.ok(misused.isDone(), 'until it has been accepted elsewhere')
})

t.test('Calendly being down does not make a new key invalid', async (t) => {
  const client = open([{ ...primary, state: 'pending' }])
  verifying(primary).times(3).reply(503)
  await t.rejects(client.read(), { code: 'calendly_unavailable' })
  verifying(primary).reply(200, me)
  reading(primary).reply(200, found)
  t.match(await client.read(), { uri: event.uri })
})

t.test('what waits in the background is verified by maintenance', async (t) => {
  const client = open([primary, { ...secondary, state: 'pending' }])
  verifying(secondary).reply(200, me)
  await client.calendly.maintain()
  await client.calendly.maintain()
  t.same(client.source.told.accepted, ['secondary'])
  t.match(client.calendly.health().requests, { 'GET /users/me': { count: 1 } })
})

t.test('an invalid key is probed at its interval, or soon while none works', async (t) => {
  const client = open([{ ...primary, isInvalid: true }, secondary], { keyProbeMs: 60_000 })
  verifying(primary).times(2).reply(401, unauthenticated)
  await client.calendly.maintain()
  t.same(client.source.told.probed, [{ name: 'primary', intervalMs: 60_000 }])
  t.same(client.errors(), [], 'it was known')

  client.source.set({ ...primary, isInvalid: true })
  await client.calendly.maintain()
  t.same(client.source.told.probed.at(-1), { name: 'primary', intervalMs: 10_000 })
  verifying(primary).reply(200, me)
  await client.calendly.maintain()
  t.same(client.health(), ['ok'])
  t.same(client.source.told.accepted, ['primary'])
  reading(primary).reply(200, found)
  t.match(await client.read(), { uri: event.uri })
})

t.test('a key that another replica must probe is left alone', async (t) => {
  const { source, ...rest } = createTestKeys({ ...primary, isInvalid: true })
  const client = openTestClient({ keys: { ...source, mayProbe: async () => false } })
  await client.calendly.maintain()
  t.equal(client.calendly.health().calls, 0)
  t.same(rest.told.refused, [])
})

t.test('while Calendly hangs the keys are followed all the same', async (t) => {
  const hanging = createServer(() => {})
  await new Promise<void>((listening) => hanging.listen(0, '127.0.0.1', listening))
  nock.enableNetConnect('127.0.0.1')
  t.teardown(() => {
    nock.disableNetConnect()
    hanging.close()
    hanging.closeAllConnections()
  })
  const { port } = hanging.address() as AddressInfo
  const client = open([{ ...primary, state: 'pending' }], { baseUrl: `http://127.0.0.1:${port}` })
  await client.calendly.maintain()
  t.equal(client.calendly.health().calls, 0, 'the verification is still under way')
  client.source.set(secondary)
  void client.calendly.maintain()
  while (client.calendly.health().keys[0]?.name !== 'secondary') {
    await new Promise((turn) => setImmediate(turn))
  }
})

t.test('what others find out and decide is followed, order included', async (t) => {
  const client = open([primary, secondary])
  reading(primary).reply(200, found)
  await client.read()

  client.source.set(secondary, { ...primary, state: 'retiring' })
  const promoted = reading(secondary).reply(200, found)
  await client.calendly.maintain()
  await client.read()
  t.ok(promoted.isDone(), 'promoted')

  client.source.set({ ...secondary, isInvalid: true }, { ...primary, state: 'retiring' })
  const retiring = reading(primary).reply(200, found)
  client.calendly.hear({ kind: 'keys' })
  await client.calendly.syncKeys()
  await client.read()
  t.ok(retiring.isDone(), 'refused elsewhere')

  client.source.set(secondary)
  const revoked = reading(primary).reply(200, found)
  reading(secondary).reply(200, found)
  await client.calendly.syncKeys()
  await client.read()
  t.notOk(revoked.isDone(), 'revoked, and the other probed elsewhere')
  t.same(client.announced, [], 'what was heard is not news')
})

/** A source whose second reading is held, with what it has read by then, until it is released. */
function createSlowKeys(...keys: GivenKey[]) {
  const { source, ...rest } = createTestKeys(...keys)
  const held = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  let loads = 0
  const load = async () => {
    const snapshot = rest.keys()
    if (++loads === 2) {
      begun.resolve()
      await held.promise
    }
    return snapshot
  }
  return { ...rest, source: { ...source, load }, begun: begun.promise, release: held.resolve }
}

t.test('what was found out while the keys were read is not forgotten', async (t) => {
  const keys = createSlowKeys(primary, secondary)
  const { calendly } = openTestClient({ keys: keys.source })
  const read = () => calendly.findEvent(event.uri)
  reading(primary).reply(200, found)
  await read()
  const syncing = calendly.syncKeys()
  await keys.begun
  reading(primary).reply(401, unauthenticated)
  verifying(primary).reply(401, unauthenticated)
  reading(secondary).reply(200, found)
  await read()
  while (calendly.health().keys[0]?.health === 'ok') await new Promise((turn) => setImmediate(turn))
  keys.release()
  await syncing
  t.match(calendly.health().keys, [{ health: 'invalid' }, { health: 'ok' }])
})

t.test('the keys as they were never replace the keys as they are', async (t) => {
  const keys = createSlowKeys(primary)
  const { calendly } = openTestClient({ keys: keys.source })
  reading(primary).reply(200, found)
  await calendly.findEvent(event.uri)
  const syncing = calendly.syncKeys()
  await keys.begun
  keys.set(secondary)
  const changed = calendly.syncKeys()
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
  keys.release()
  await Promise.all([syncing, changed])
  t.match(calendly.health().keys, [{ name: 'secondary' }])
})

t.test('a request in flight keeps the keys that it began with', async (t) => {
  const client = open([primary, secondary])
  reading(primary).reply(401, () => {
    client.source.set(primary)
    void client.calendly.syncKeys()
    return unauthenticated
  })
  verifying(primary).reply(401, unauthenticated)
  reading(secondary).delay(20).reply(200, found)
  t.match(await client.read(), { uri: event.uri })
})

t.test('a source that is away leaves the keys as they were, and hears later what it missed', async (t) => {
  const client = open([primary, secondary])
  reading(primary).times(2).reply(200, found)
  await client.read()
  client.source.fail(new Error('the database is away'))
  await client.calendly.maintain()
  await client.read()

  reading(primary).reply(401, unauthenticated)
  verifying(primary).reply(401, unauthenticated)
  reading(secondary).times(2).reply(200, found)
  await client.read()
  await verified(client, 1)
  t.same(client.health(), ['invalid', 'ok'])
  t.same([client.source.told.refused, client.source.told.used.size], [[], 0])

  client.source.fail()
  await client.calendly.syncKeys()
  t.same(client.source.told.refused, ['primary'])
  t.same(client.health(), ['invalid', 'ok'])
  t.same(
    client.source.keys().map(({ fingerprint }) => client.source.told.used.get(fingerprint)?.count),
    [4, 1]
  )
  await client.read()
})

t.test(
  'without its keys a client that just started says so, and reads them with the next request',
  async (t) => {
    const client = open([primary])
    client.source.fail(new Error('the database is away'))
    await t.rejects(client.read(), {
      code: 'calendly_unavailable',
      message: 'The Calendly keys cannot be read'
    })
    client.source.fail()
    reading(primary).reply(200, found)
    t.match(await client.read(), { uri: event.uri })
  }
)

t.test('use is counted per key and told together, once', async (t) => {
  const client = open([primary, secondary])
  reading(primary).times(2).reply(200, found)
  await client.read()
  client.pass(1_000)
  await client.read()
  reading(primary).reply(401, unauthenticated)
  verifying(primary).reply(401, unauthenticated)
  reading(secondary).reply(200, found)
  await client.read()
  await verified(client, 1)
  await client.calendly.syncKeys()
  const [first, second] = client.source.keys()
  const { used } = client.source.told
  t.same(used.get(first?.fingerprint ?? ''), { count: 4, lastUsedAt: startOfTest + 1_000 })
  t.same(used.get(second?.fingerprint ?? ''), { count: 1, lastUsedAt: startOfTest + 1_000 })
})

t.test("when another user's key comes first, the remembered user is forgotten", async (t) => {
  const client = open([primary, { ...secondary, ...otherUser }])
  verifying(primary).reply(200, me)
  t.match(await client.calendly.user(), { uri: `${api}/users/U1` })
  client.source.set({ ...secondary, ...otherUser }, primary)
  await client.calendly.syncKeys()
  verifying(secondary).reply(200, { resource: { ...me.resource, uri: otherUser.user } })
  t.match(await client.calendly.user(), { uri: otherUser.user })
})

t.test('whose a token is can be asked before it is a key', async (t) => {
  const client = open([primary])
  const candidate = { token: 'token-of-candidate' }
  verifying(candidate).reply(200, me)
  t.same(await client.calendly.identify(candidate.token), { kind: 'accepted', ...testOwner })
  for (const [status, body] of [
    [401, unauthenticated],
    [403, forbidden]
  ] as const) {
    verifying(candidate).reply(status, body)
    t.same(await client.calendly.identify(candidate.token), { kind: 'refused' })
  }
  verifying(candidate).times(3).reply(503)
  await t.rejects(client.calendly.identify(candidate.token), { code: 'calendly_unavailable' })
  verifying(candidate).reply(200, { resource: {} })
  await t.rejects(client.calendly.identify(candidate.token), { code: 'calendly_unavailable' })
})

t.test('without any key a read names the reason and sends nothing', async (t) => {
  await t.rejects(open([]).read(), {
    code: 'calendly_unavailable',
    message: 'No Calendly credential is configured'
  })
})

t.test('no token reaches the log, the report or the announcements', async (t) => {
  const client = open([primary, { ...secondary, state: 'pending' }])
  reading(primary).reply(401, unauthenticated)
  verifying(primary).reply(401, unauthenticated)
  verifying(secondary).reply(401, unauthenticated)
  await t.rejects(client.read())
  t.ok(client.logged.length > 0)
  t.notMatch(JSON.stringify([client.logged, client.calendly.health(), client.announced]), /token-of/)
})
