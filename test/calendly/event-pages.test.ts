import nock from 'nock'
import t from 'tap'
import { api, forbidden, me, notFound, openTestClient } from './fixtures/client.ts'

nock.disableNetConnect()
t.beforeEach(() => void nock(api).get('/users/me').reply(200, me))
t.afterEach(() => nock.cleanAll())

const [from, to] = [Date.parse('2026-12-01T00:00:00Z'), Date.parse('2027-01-01T00:00:00Z')]
const event = `${api}/scheduled_events/E1`
const eventOf = (id: string) => ({
  uri: `${api}/scheduled_events/${id}`,
  status: 'active',
  start_time: '2026-12-01T15:00:00Z',
  end_time: '2026-12-01T15:30:00Z'
})
const inviteeOf = (id: string) => ({
  uri: `${event}/invitees/${id}`,
  event,
  status: 'active',
  email: 'bob@example.com',
  created_at: '2026-11-22T10:00:00Z',
  updated_at: '2026-11-22T10:00:00Z'
})
const range = {
  min_start_time: '2026-12-01T00:00:00.000Z',
  max_start_time: '2026-12-31T23:59:59.999Z',
  sort: 'start_time:asc',
  count: '100'
}
const organization = `${api}/organizations/O1`
const next = (page_token: string) => ({ next_page: `${api}/scheduled_events?page_token=${page_token}` })
const page = (collection: object[], pagination: object = { next_page: null }) => ({ collection, pagination })

t.test('what is booked is read a page at a time, half-open, by start', async (t) => {
  const { calendly } = openTestClient()
  nock(api)
    .get('/scheduled_events')
    .query({ organization, ...range })
    .reply(200, page([eventOf('E1')], next('p2')))
    .get('/scheduled_events')
    .query({ organization, ...range, page_token: 'p2' })
    .reply(200, page([eventOf('E2')]))
  const first = await calendly.pageOfEvents({ from, to })
  t.match(first.events, [{ uri: event }])
  const second = await calendly.pageOfEvents({ from, to }, first.next)
  t.match(second, { events: [{ uri: `${api}/scheduled_events/E2` }], next: undefined })
})

t.test('where the organisation’s are forbidden all pages are the user’s own', async (t) => {
  const { calendly } = openTestClient()
  const user = `${api}/users/U1`
  nock(api)
    .get('/scheduled_events')
    .query({ organization, ...range })
    .reply(403, forbidden)
    .get('/scheduled_events')
    .query({ user, ...range })
    .reply(200, page([], next('p2')))
    .get('/scheduled_events')
    .query({ user, ...range, page_token: 'p2' })
    .reply(200, page([eventOf('E2')]))
  const first = await calendly.pageOfEvents({ from, to })
  t.equal((await calendly.pageOfEvents({ from, to }, first.next)).events.length, 1)
})

t.test('one that cannot be read does not lose the others', async (t) => {
  const { calendly } = openTestClient()
  nock(api)
    .get('/scheduled_events')
    .query(true)
    .reply(200, page([{ uri: event, status: 'new' }, eventOf('E2')]))
    .get('/scheduled_events/E1/invitees')
    .query(true)
    .reply(200, page([inviteeOf('I1'), { ...inviteeOf('I2'), email: null }]))
  t.match((await calendly.pageOfEvents({ from })).events, [undefined, { status: 'active' }])
  t.match(await calendly.pageOfInvitees(event), { invitees: [{ email: 'bob@example.com' }, undefined] })
})

t.test('invitees are read a page at a time', async (t) => {
  const { calendly } = openTestClient()
  nock(api)
    .get('/scheduled_events/E1/invitees')
    .query({ count: '100' })
    .reply(200, page([inviteeOf('I1')], next('p2')))
    .get('/scheduled_events/E1/invitees')
    .query({ count: '100', page_token: 'p2' })
    .reply(200, page([inviteeOf('I2')]))
  const first = await calendly.pageOfInvitees(event)
  t.equal(first?.next, 'p2')
  t.match(await calendly.pageOfInvitees(event, first?.next), { next: undefined })
})

t.test('what is unknown, or not for us to see, is not there', async (t) => {
  const { calendly } = openTestClient()
  for (const [status, body] of [
    [403, forbidden],
    [404, notFound],
    [200, { resource: { uri: event } }]
  ] as const) {
    nock(api).get('/scheduled_events/E1').reply(status, body)
    t.equal(await calendly.lookAtEvent(event), undefined, String(status))
  }
  nock(api).get('/scheduled_events/E1/invitees').query(true).reply(404, notFound)
  t.equal(await calendly.pageOfInvitees(event), undefined)
  t.equal(await calendly.lookAtEvent('https://api.calendly.com/users/E1'), undefined)
  t.equal(await calendly.pageOfInvitees('nonsense'), undefined)
})

t.test('what Calendly would not list is told apart from a Calendly that is away', async (t) => {
  const { calendly } = openTestClient()
  nock(api).get('/scheduled_events').query(true).reply(400, { title: 'Invalid Argument' })
  await t.rejects(calendly.pageOfEvents({ from }), { code: 'calendly_rejected' })
  nock(api).get('/scheduled_events').query(true).times(3).reply(503)
  await t.rejects(calendly.pageOfEvents({ from }), { code: 'calendly_unavailable' })
})

t.test('half of our share of the quota is left to everybody else', async (t) => {
  const { calendly } = openTestClient()
  nock(api).get('/scheduled_events').query(true).reply(200, page([]), {
    'x-ratelimit-limit': '100',
    'x-ratelimit-remaining': '50',
    'x-ratelimit-reset': '50'
  })
  await calendly.pageOfEvents({ from })
  const refused = await calendly.pageOfEvents({ from }).catch((error) => error)
  t.match(refused, { code: 'calendly_unavailable', cause: { name: 'QuotaError' } })
  t.ok(refused.retryAfterMs > 40_000)
  nock(api)
    .get('/scheduled_events/E1')
    .reply(200, { resource: eventOf('E1') })
  t.match(await calendly.findEvent(event), { uri: event }, 'others still find some')
})
