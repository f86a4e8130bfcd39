import t from 'tap'
import { request } from 'undici'
import { standard, standardSeed } from '../../src/sandbox/standard.ts'
import { as, meeting, query, start, uuidOf } from './support/client.ts'

type Page = {
  collection: { uri: string; name: string }[]
  pagination: Record<'next_page' | 'previous_page' | 'next_page_token' | 'previous_page_token', string | null>
}

t.test('a user is described in full, with the headers Calendly sends', async (t) => {
  const { get } = await start(t)
  const { status, headers, body } = await get('/users/me')
  t.equal(status, 200)
  t.match(body, {
    resource: {
      uri: 'https://api.calendly.com/users/ADAHOSTBERLIN234',
      timezone: 'Europe/Berlin',
      current_organization: standard.organization,
      created_at: /^2026-11-20T12:00:00\.\d{6}Z$/
    }
  })
  t.match(headers, {
    'content-type': 'application/json; charset=utf-8',
    'x-ratelimit-limit': '500',
    'x-ratelimit-remaining': '499',
    'x-ratelimit-reset': '60',
    'x-request-id': /^[0-9a-f-]{36}$/
  })
})

t.test('each way of not being let in has its body', async (t) => {
  const { get, control, sandbox } = await start(t)
  t.match(await get('/users/me', { authorization: '' }), {
    status: 401,
    body: { title: 'Unauthenticated', message: 'The access token is invalid' }
  })
  t.match(await get('/users/me', as('no-such-token')), { status: 401 })

  await control('/tokens/revoke', { token: 'ada-spare' })
  t.match(await get('/users/me', as(standard.tokens.adaSpare)), {
    status: 401,
    body: { title: 'Unauthenticated', message: 'The access token was revoked' }
  })
  t.match(await get('/users/me'), { status: 200 }, 'the other token of the same user lives')

  t.match(await get(`/users/${uuidOf(standard.users.mei)}`), {
    status: 403,
    body: {
      title: 'Permission Denied',
      message: 'You do not have permission to access this resource.'
    }
  })
  t.strictSame((await get('/users/nobody')).body, {
    title: 'Resource Not Found',
    message: 'The server could not find the requested resource.'
  })

  const anonymous = await request(`${sandbox.url}/users/me`, { headers: as(sandbox.token) })
  t.equal(anonymous.statusCode, 403, 'a client without a User-Agent is turned away')
  await anonymous.body.dump()
})

t.test('a token with scopes does what they say, and writing includes reading', async (t) => {
  const scopes = ['users:read', 'scheduled_events:write']
  const tokens = [{ name: 'narrow', value: 'narrow-token', user: 'ADAHOSTBERLIN234', scopes }]
  const { get, post } = await start(t, { seed: { ...standardSeed, tokens } })
  t.match(await get('/users/me'), { status: 200 })
  t.match(await get(`/scheduled_events?user=${standard.users.ada}`), { status: 200 })
  t.match(await post('/invitees', meeting('2026-11-23T10:00:00Z')), { status: 201 })
  t.match(await get('/nowhere'), { status: 404 })
  const refused = await get(`/event_types?user=${standard.users.ada}`)
  t.equal(refused.status, 403)
  t.strictSame(refused.body, {
    title: 'Insufficient scope',
    message: "This operation requires the scopes listed in the 'required_scopes' array.",
    required_scopes: ['event_types:read']
  })
})

t.test('memberships are for admins to list, and for members to find themselves', async (t) => {
  const { get } = await start(t)
  const everybody = await get<Page>(
    `/organization_memberships?${query({ organization: standard.organization })}`
  )
  t.match(everybody.body.collection, [
    { role: 'owner', user: { email: 'ada@northwind.example' } },
    { role: 'admin', user: { email: 'lena@northwind.example' } },
    { role: 'user', user: { email: 'noah@northwind.example' } }
  ])
  t.match(await get(`/organization_memberships/${uuidOf(standard.users.noah)}`), {
    body: { resource: { role: 'user', organization: standard.organization } }
  })

  const noah = as(standard.tokens.noah)
  const path = `/organization_memberships?${query({ organization: standard.organization })}`
  t.match(await get(path, noah), { status: 403 })
  t.match(await get(`/organization_memberships?${query({ user: standard.users.noah })}`, noah), {
    status: 200,
    body: { pagination: { count: 1 } }
  })
})

t.test('lists come in pages that lead to each other, by token or by address', async (t) => {
  const { get } = await start(t)
  const path = (more = '') => `/event_types?organization=${standard.organization}&count=4${more}`
  const first = (await get<Page>(path())).body
  t.strictSame(Object.keys(first.pagination), [
    'count',
    'next_page',
    'previous_page',
    'next_page_token',
    'previous_page_token'
  ])
  t.match(first.pagination, { count: 4, previous_page: null, previous_page_token: null })

  const second = (await get<Page>(path(`&page_token=${first.pagination.next_page_token}`))).body
  const { origin, pathname, search } = new URL(String(first.pagination.next_page))
  t.equal(origin, 'https://api.calendly.com')
  t.strictSame((await get<Page>(pathname + search)).body, second)
  t.match(second.pagination, { count: 3, next_page: null, next_page_token: null })
  t.strictSame(
    [...first.collection, ...second.collection].map(({ name }) => name),
    ['30 Minute Meeting', 'Consultation', 'Group Workshop', 'Intro Call', 'Kickoff', 'Panel', 'Team Call']
  )

  const back = (await get<Page>(path(`&page_token=${second.pagination.previous_page_token}`))).body
  t.strictSame(back.collection, first.collection)

  t.match(await get(path('&page_token=made-up')), {
    status: 400,
    body: { details: [{ parameter: 'page_token' }] }
  })
})

t.test('a reference is understood raw and percent-encoded', async (t) => {
  const { get } = await start(t)
  const raw = await get(`/event_types?user=${standard.users.noah}`, { 'content-type': 'application/json' })
  const encoded = await get(`/event_types?user=${encodeURIComponent(standard.users.noah)}`)
  t.equal(raw.status, 200)
  t.strictSame(raw.body, encoded.body)
})

t.test('what Calendly does not document is refused by name and logged as a violation', async (t) => {
  const { get, post, control } = await start(t)
  t.strictSame((await get(`/event_types?user=${standard.users.ada}&limit=5`)).body, {
    title: 'Invalid Argument',
    message: 'The supplied parameters are invalid.',
    details: [{ parameter: 'limit', message: 'is not a documented parameter' }]
  })
  t.match(await post('/webhook_subscriptions', { callback: 'x' }), { status: 400 })
  t.match(await get('/bookings'), { status: 404 })
  t.match(await post('/invitees?dry_run=1', meeting('2026-11-23T10:00:00Z')), { status: 400 })
  t.strictSame(await control('/violations'), {
    violations: [
      { method: 'GET', path: '/event_types', violation: 'limit is not a documented parameter' },
      { method: 'POST', path: '/webhook_subscriptions', violation: 'callback is not a documented parameter' },
      { method: 'GET', path: '/bookings', violation: 'no such endpoint here' },
      { method: 'POST', path: '/invitees', violation: 'dry_run is not a documented parameter' }
    ]
  })
})
