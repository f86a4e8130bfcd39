import nock from 'nock'
import t from 'tap'
import { api, forbidden, me, notFound, openTestClient } from './fixtures/client.ts'

nock.disableNetConnect()
t.afterEach(() => nock.cleanAll())

const typeOf = (id: string, more: object = {}) => ({ uri: `${api}/event_types/${id}`, duration: 30, ...more })
const page = (collection: object[], pagination: object = { next_page: null }) => ({ collection, pagination })
const eventOf = (id: string) => ({
  uri: `${api}/scheduled_events/${id}`,
  status: 'active',
  start_time: '2026-12-01T15:00:00Z',
  end_time: '2026-12-01T15:30:00Z'
})
const inviteeOf = (id: string) => ({
  uri: `${api}/scheduled_events/E1/invitees/${id}`,
  event: `${api}/scheduled_events/E1`,
  status: 'active',
  email: 'bob@example.com',
  created_at: '2026-11-22T10:00:00Z',
  updated_at: '2026-11-22T10:00:00Z'
})
const meKnown = () => nock(api).get('/users/me').reply(200, me)

t.test('the owner of the key is learned once', async (t) => {
  const { calendly } = openTestClient()
  const asked = nock(api, {
    reqheaders: {
      authorization: 'Bearer token-of-primary',
      'user-agent': 'calendly-gateway/test',
      accept: 'application/json'
    }
  })
    .get('/users/me')
    .once()
    .reply(200, me)
  const users = await Promise.all([calendly.user(), calendly.user()])
  t.match(users, [
    { uri: `${api}/users/U1`, organization: `${api}/organizations/O1` },
    { uri: `${api}/users/U1` }
  ])
  t.match(await calendly.user(), { timezone: 'Europe/Berlin' })
  t.ok(asked.isDone())
})

t.test('a base URL with a path keeps it', async (t) => {
  const { calendly } = openTestClient({ baseUrl: 'http://proxy.example/calendly/' })
  const asked = nock('http://proxy.example').get('/calendly/users/me').reply(200, me)
  await calendly.ping()
  t.ok(asked.isDone())
})

t.test('event types are those of the organisation and of the user, all pages, each once', async (t) => {
  const { calendly } = openTestClient()
  meKnown()
  const organization = `${api}/organizations/O1`
  nock(api)
    .get('/event_types')
    .query({ organization, count: '100' })
    .reply(
      200,
      page([typeOf('A'), typeOf('B')], {
        next_page: `${api}/event_types?page_token=p2`,
        next_page_token: 'p2'
      })
    )
    .get('/event_types')
    .query({ organization, count: '100', page_token: 'p2' })
    .reply(200, page([typeOf('C')]))
    .get('/event_types')
    .query({ user: `${api}/users/U1`, count: '100' })
    .reply(200, page([typeOf('B'), typeOf('D')]))
  const types = await calendly.listEventTypes()
  t.same(
    types.map(({ uri }) => uri.slice(-1)),
    ['A', 'B', 'C', 'D']
  )
})

t.test('where the organisation is forbidden, the own listings will do', async (t) => {
  const { calendly } = openTestClient()
  meKnown()
  nock(api)
    .get(/^\/(event_types|scheduled_events)/)
    .query(({ organization }) => organization !== undefined)
    .times(2)
    .reply(403, forbidden)
    .get('/event_types')
    .query(({ user }) => user === `${api}/users/U1`)
    .reply(200, page([typeOf('A')]))
    .get('/scheduled_events')
    .query(({ user }) => user === `${api}/users/U1`)
    .reply(200, page([eventOf('E1')]))
  t.match(await calendly.listEventTypes(), [{ uri: `${api}/event_types/A` }])
  t.match(await calendly.listEvents({}), [{ uri: `${api}/scheduled_events/E1` }])
})

t.test('an event type is found, remembered, and missing when Calendly says so', async (t) => {
  const client = openTestClient()
  const find = () => client.calendly.findEventType(`${api}/event_types/A`)
  nock(api)
    .get('/event_types/A')
    .reply(200, { resource: typeOf('A', { deleted_at: '2026-11-01T00:00:00Z' }) })
  t.match(await find(), { durationMinutes: 30, deletedAt: Date.parse('2026-11-01T00:00:00Z') })
  client.pass(59_999)
  t.match(await find(), { durationMinutes: 30 })
  client.pass(60_001)
  nock(api).get('/event_types/A').reply(404, notFound)
  t.equal(await find(), undefined)
  t.equal(await client.calendly.findEventType('https://api.calendly.com/users/A'), undefined)
})

t.test('with Calendly down an event type is served from memory, for ten minutes', async (t) => {
  const client = openTestClient()
  const find = () => client.calendly.findEventType(`${api}/event_types/A`)
  nock(api)
    .get('/event_types/A')
    .reply(200, { resource: typeOf('A') })
  nock(api).get('/event_types/A').times(6).reply(503)
  await find()
  client.pass(9 * 60_000)
  t.match(await find(), { uri: `${api}/event_types/A` })
  client.pass(60_000)
  await t.rejects(find(), { code: 'calendly_unavailable' })
})

t.test('the hosts of a type are its owner, its members, or ourselves', async (t) => {
  const { calendly } = openTestClient()
  const eventType = { questions: [], active: true, durationMinutes: 30, durationOptions: [] }
  const base = { ...eventType, kind: 'solo', isPaid: false, secret: false }
  const owner = `${api}/users/U7`
  t.same(
    await calendly.listHosts({ ...base, uri: `${api}/event_types/A`, profile: { type: 'User', owner } }),
    [owner]
  )

  meKnown()
  nock(api)
    .get('/event_type_memberships')
    .query({ event_type: `${api}/event_types/B`, count: '100' })
    .reply(200, page([{ member: { uri: `${api}/users/U2` } }, { member: { uri: `${api}/users/U3` } }]))
    .get('/event_type_memberships')
    .query({ event_type: `${api}/event_types/C`, count: '100' })
    .reply(403, forbidden)
  const pooled = { ...base, poolingType: 'round_robin', profile: { type: 'User', owner } }
  for (const _ of ['asked', 'remembered']) {
    t.same(await calendly.listHosts({ ...pooled, uri: `${api}/event_types/B` }), [
      `${api}/users/U2`,
      `${api}/users/U3`
    ])
  }
  t.same(await calendly.listHosts({ ...pooled, uri: `${api}/event_types/C` }), [`${api}/users/U1`])
})

t.test('events are listed by every filter there is', async (t) => {
  const { calendly } = openTestClient()
  meKnown()
  const asked = nock(api)
    .get('/scheduled_events')
    .query({
      organization: `${api}/organizations/O1`,
      invitee_email: 'bob@example.com',
      min_start_time: '2026-12-01T15:00:00.000Z',
      max_start_time: '2026-12-01T16:00:00.000Z',
      status: 'active',
      sort: 'start_time:asc',
      count: '100'
    })
    .reply(200, page([eventOf('E1')]))
  const events = await calendly.listEvents({
    inviteeEmail: 'bob@example.com',
    minStartTime: Date.parse('2026-12-01T15:00:00Z'),
    maxStartTime: Date.parse('2026-12-01T16:00:00Z'),
    status: 'active'
  })
  t.equal(events.length, 1)
  t.ok(asked.isDone())
})

t.test('an event and its invitees are found by their last segments', async (t) => {
  const { calendly } = openTestClient()
  nock(api)
    .get('/scheduled_events/E1')
    .times(2)
    .reply(200, { resource: eventOf('E1') })
    .get('/scheduled_events/E1/invitees')
    .query({ count: '100' })
    .reply(200, page([inviteeOf('I1'), inviteeOf('I2')]))
    .get('/scheduled_events/E1/invitees/I1')
    .reply(200, { resource: inviteeOf('I1') })
    .get(/^\/scheduled_events\/E9/)
    .times(3)
    .reply(404, notFound)
  const event = 'https://calendly.com/scheduled_events/E1'
  t.match(await calendly.findEvent(event), { uri: `${api}/scheduled_events/E1` })
  t.match(await calendly.findEvent(event), { uri: `${api}/scheduled_events/E1` })
  t.equal((await calendly.listInvitees(event)).length, 2)
  t.match(await calendly.findInvitee(`${event}/invitees/I1`), { email: 'bob@example.com' })

  const unknown = `${api}/scheduled_events/E9`
  t.equal(await calendly.findEvent(unknown), undefined)
  t.equal(await calendly.findInvitee(`${unknown}/invitees/I1`), undefined)
  t.same(await calendly.listInvitees(unknown), [])
})

t.test('a next page is asked of our own base URL, whatever Calendly host it names', async (t) => {
  const { calendly } = openTestClient({ baseUrl: 'http://127.0.0.1:4999' })
  const asked = nock('http://127.0.0.1:4999')
    .get('/scheduled_events/E1/invitees')
    .query({ count: '100' })
    .reply(
      200,
      page([inviteeOf('I1')], { next_page: `${api}/scheduled_events/E1/invitees?count=1&page_token=p2` })
    )
    .get('/scheduled_events/E1/invitees')
    .query({ count: '100', page_token: 'p2' })
    .reply(200, page([inviteeOf('I2')]))
  t.equal((await calendly.listInvitees(`${api}/scheduled_events/E1`)).length, 2)
  t.ok(asked.isDone())
})

t.test('a next page on a foreign host is refused, and nothing is sent there', async (t) => {
  for (const next_page of [
    'https://evil.example/x?page_token=p2',
    '//evil.example/?page_token=p2',
    'http://api.calendly.com/x'
  ]) {
    const { calendly } = openTestClient()
    const foreign = nock(/evil/).get(/./).reply(200, page([]))
    nock(api)
      .get('/scheduled_events/E1/invitees')
      .query({ count: '100' })
      .reply(200, page([inviteeOf('I1')], { next_page, next_page_token: 'p2' }))
    await t.rejects(
      calendly.listInvitees(`${api}/scheduled_events/E1`),
      { code: 'calendly_unavailable', message: 'Calendly named a next page on another host' },
      next_page
    )
    t.notOk(foreign.isDone())
    nock.cleanAll()
  }
})

t.test('pages that go round in a circle come to an end', async (t) => {
  const { calendly } = openTestClient()
  nock(api)
    .get('/scheduled_events/E1/invitees')
    .query(true)
    .times(10)
    .reply(200, page([inviteeOf('I1')], { next_page: `${api}/x?page_token=p2`, next_page_token: 'p2' }))
  await t.rejects(calendly.listInvitees(`${api}/scheduled_events/E1`), { code: 'calendly_unavailable' })
  t.match(calendly.health().requests, { 'GET /scheduled_events/{uuid}/invitees': { count: 2 } })
})

t.test('a passing failure is retried, three attempts in all, with growing pauses', async (t) => {
  for (const status of [408, 429, 500, 502, 503, 504]) {
    const client = openTestClient()
    nock(api)
      .get('/users/me')
      .times(2)
      .reply(status, '<html>try later</html>')
      .get('/users/me')
      .reply(200, me)
    await client.calendly.ping()
    t.same(client.slept, [50, 100], `${status}`)
  }
  const client = openTestClient()
  const asked = nock(api).get('/users/me').times(3).reply(503)
  await t.rejects(client.calendly.ping(), { code: 'calendly_unavailable', cause: { status: 503 } })
  t.ok(asked.isDone())
  t.match(client.calendly.health(), {
    failuresInARow: 3,
    requests: { 'GET /users/me': { count: 3, errors: 3 } }
  })
})

t.test('a throttled read waits as long as Calendly says, if its deadline allows', async (t) => {
  const patient = openTestClient()
  nock(api)
    .get('/users/me')
    .reply(429, {}, { 'x-ratelimit-reset': '60', 'retry-after': '7' })
    .get('/users/me')
    .reply(200, me)
  await patient.calendly.ping()
  t.same(patient.slept, [7_000])

  const hurried = openTestClient()
  nock(api).get('/users/me').reply(429, {}, { 'x-ratelimit-reset': '60' })
  await t.rejects(hurried.calendly.ping(), { code: 'calendly_unavailable', retryAfterMs: 60_000 })
  t.same(hurried.slept, [])
})

t.test('an answer that will stay the same is not asked for twice', async (t) => {
  for (const status of [301, 403, 404, 501]) {
    const client = openTestClient()
    nock(api).get('/users/me').reply(status, {}, { location: 'https://evil.example/' })
    await t.rejects(client.calendly.ping(), { code: 'calendly_unavailable', cause: { status } })
    t.same(client.slept, [], `${status}`)
  }
})

t.test('an answer that cannot be understood makes Calendly unavailable', async (t) => {
  for (const body of [
    '',
    'null',
    '[]',
    '{}',
    '{"resource":null}',
    '{"resource":{"uri":7}}',
    '<html></html>',
    '{"resou'
  ]) {
    const { calendly } = openTestClient()
    nock(api).get('/users/me').times(3).reply(200, body)
    await t.rejects(calendly.ping(), { code: 'calendly_unavailable' }, body)
    nock.cleanAll()
  }
})

t.test('a request that Calendly finds wrong is a failure, whose words are kept from logs', async (t) => {
  const { calendly } = openTestClient()
  meKnown()
  nock(api)
    .get('/scheduled_events')
    .query(true)
    .reply(
      400,
      { title: 'Invalid Argument', message: 'ada@example.com is not known.' },
      { 'x-request-id': 'r-1' }
    )
  const error = await calendly.listEvents({}).catch((error) => error)
  t.match(error, {
    code: 'calendly_unavailable',
    message: 'Calendly answered 400',
    cause: { status: 400, requestId: 'r-1', problem: { message: 'ada@example.com is not known.' } }
  })
  t.notMatch(
    JSON.stringify([error, error.cause, error.stack, error.cause.stack]),
    /ada@example|Invalid Argument/
  )
})

t.test('the log names endpoints and no person', async (t) => {
  const client = openTestClient()
  meKnown()
  nock(api).get('/scheduled_events').query(true).times(3).reply(500, {})
  await t.rejects(client.calendly.listEvents({ inviteeEmail: 'bob@example.com' }))
  await t.rejects(client.calendly.findEvent(`${api}/scheduled_events/E1`))
  t.match(client.logged.at(-1), { level: 'warn', details: { endpoint: 'GET /scheduled_events/{uuid}' } })
  t.notMatch(JSON.stringify(client.logged), /bob@|ada@|token-of/)
})

t.test('a chain of pages that does not end is a failure', async (t) => {
  const { calendly } = openTestClient()
  meKnown()
  let asked = 0
  nock(api)
    .get('/scheduled_events')
    .query(true)
    .reply(200, () => {
      const token = String(++asked)
      const next_page = `${api}/scheduled_events?page_token=${token}`
      return { collection: [], pagination: { count: 0, next_page, next_page_token: token } }
    })
    .persist()
  await t.rejects(calendly.listEvents({}), {
    code: 'calendly_unavailable',
    message: 'The pages of /scheduled_events do not end'
  })
  t.equal(asked, 101)
})

t.test('all pages of a list share the deadline of one call', async (t) => {
  const client = openTestClient()
  meKnown()
  let asked = 0
  nock(api)
    .get('/scheduled_events')
    .query(true)
    .reply(200, () => {
      client.pass(2_000)
      const token = String(++asked)
      const next_page = `${api}/scheduled_events?page_token=${token}`
      return { collection: [], pagination: { count: 0, next_page, next_page_token: token } }
    })
    .persist()
  await t.rejects(client.calendly.listEvents({}), { code: 'calendly_unavailable' })
  t.equal(asked, 5, 'the last one begins before its last second')
})
