import t from 'tap'
import { standard } from '../../src/sandbox/standard.ts'
import { as, type Booked, type Client, meeting, query, start, uuidOf } from './support/client.ts'

const { thirtyMinutes, introCall, workshop } = standard.eventTypes

type Page = {
  collection: { uri: string; start_time: string; status: string }[]
  pagination: { count: number; next_page_token: string | null }
}

const book = ({ control }: Client, event_type: string, start_time: string, email = 'iris@example.com') =>
  control<Booked>('/book', { event_type, start_time, email })

const list = ({ get }: Client, parameters: Record<string, string>, token: string = standard.tokens.ada) =>
  get<Page>(`/scheduled_events?${query(parameters)}`, as(token))

t.test('events are found by host, invitee, status and time, soonest first', async (t) => {
  const client = await start(t)
  const late = await book(client, thirtyMinutes, '2026-11-24T10:00:00Z', 'late@example.com')
  const soon = await book(client, thirtyMinutes, '2026-11-23T10:00:00Z', 'Soon@example.com')
  const other = await book(client, introCall, '2026-11-23T15:00:00Z')
  await client.control('/cancel', { invitee: late.invitee.uri })
  const found = async (parameters: Record<string, string>) =>
    (await list(client, { organization: standard.organization, ...parameters })).body.collection.map(
      ({ uri }) => uri
    )

  t.strictSame(await found({}), [soon.event.uri, other.event.uri, late.event.uri])
  t.strictSame(await found({ sort: 'start_time:desc' }), [late.event.uri, other.event.uri, soon.event.uri])
  t.strictSame(await found({ user: standard.users.noah }), [other.event.uri])
  t.strictSame(await found({ invitee_email: 'soon@example.com' }), [soon.event.uri])
  t.strictSame(await found({ status: 'canceled' }), [late.event.uri])
  t.strictSame(
    await found({ min_start_time: '2026-11-23T10:00:01Z', max_start_time: '2026-11-23T15:00:00Z' }),
    [other.event.uri]
  )
})

t.test('pages stay whole while events come and go', async (t) => {
  const client = await start(t)
  await client.control('/book-many', { event_type: thirtyMinutes, count: 7 })
  const page = (more: Record<string, string>) =>
    list(client, { user: standard.users.ada, count: '3', ...more })
  const seen: string[] = []
  let token: string | null = ''
  for (let asked = 0; token !== null; asked++) {
    const { body }: { body: Page } = await page(token === '' ? {} : { page_token: token })
    seen.push(...body.collection.map(({ start_time }) => start_time))
    token = body.pagination.next_page_token
    if (asked === 0) await book(client, introCall, '2026-11-20T14:00:00Z')
    if (asked === 0)
      await client.post(`/scheduled_events/${uuidOf(String(body.collection[0]?.uri))}/cancellation`)
  }
  t.equal(new Set(seen).size, 7)
  t.strictSame(seen, seen.toSorted())
})

t.test('whose events may be listed depends on the role', async (t) => {
  const client = await start(t)
  const { organization, secondOrganization, users, tokens } = standard
  const refused = (message: string) => ({ status: 403, body: { title: 'Permission Denied', message } })
  t.match(await list(client, {}), { status: 400 })
  t.match(await list(client, { user: users.noah }, tokens.noah), { status: 200 })
  t.match(
    await list(client, { organization }, tokens.noah),
    refused('You do not have permission to access this resource.')
  )
  t.match(
    await list(client, { user: users.noah }),
    refused('Please also specify organization when requesting events for a user within your organization.')
  )
  t.match(
    await list(client, { organization, user: users.mei }),
    refused('This user is not in your organization')
  )
  t.match(await list(client, { organization: secondOrganization }), refused('You do not have permission'))
})

t.test('an event is shown to its host and to admins', async (t) => {
  const client = await start(t)
  const { event } = await book(client, thirtyMinutes, '2026-11-23T10:00:00Z')
  const path = `/scheduled_events/${uuidOf(event.uri)}`
  t.match(await client.get(path), { status: 200 })
  t.match(await client.get(path, as(standard.tokens.noah)), {
    status: 403,
    body: { message: 'You are not allowed to view this event' }
  })
  t.match(await client.get('/scheduled_events/nothing'), { status: 404 })
})

t.test('a host’s cancellation ends the event for everybody and frees the time', async (t) => {
  const client = await start(t)
  const first = await book(client, workshop, '2026-11-23T10:00:00Z', 'first@example.com')
  await book(client, workshop, '2026-11-23T10:00:00Z', 'second@example.com')
  const path = `/scheduled_events/${uuidOf(first.event.uri)}`

  const cancellation = { canceled_by: 'Ada Berger', reason: 'ill', canceler_type: 'host' }
  t.match(await client.post(`${path}/cancellation`, { reason: 'ill' }), {
    status: 201,
    body: { resource: { ...cancellation, created_at: /^2026-11-20T12:00:00\.\d{6}Z$/ } }
  })
  t.match(await client.get(path), {
    body: { resource: { status: 'canceled', cancellation, invitees_counter: { total: 2, active: 0 } } }
  })
  t.match(await client.get(`${path}/invitees?status=canceled`), {
    body: { collection: [{ cancellation }, { cancellation }], pagination: { count: 2 } }
  })
  t.match(await client.post('/invitees', meeting('2026-11-23T10:00:00Z')), { status: 201 })
})

t.test('an invitee who cancels leaves the others of a group where they are', async (t) => {
  const client = await start(t)
  const leaving = await book(client, workshop, '2026-11-23T10:00:00Z', 'leaving@example.com')
  await book(client, workshop, '2026-11-23T10:00:00Z', 'staying@example.com')
  t.match(await client.control('/cancel', { invitee: leaving.invitee.uri, reason: 'no time' }), {
    event: { status: 'active', invitees_counter: { total: 2, active: 1 } },
    invitee: { status: 'canceled', cancellation: { canceler_type: 'invitee', reason: 'no time' } }
  })
  const path = `/scheduled_events/${uuidOf(leaving.event.uri)}/invitees`
  t.match(await client.get(`${path}?status=active`), {
    body: { collection: [{ email: 'staying@example.com' }] }
  })
  t.match(await client.get(`${path}?email=leaving@example.com`), { body: { pagination: { count: 1 } } })
})

t.test('guests of everybody in a session are on its event', async (t) => {
  const client = await start(t)
  const seat = (guest: string) =>
    client.control<Booked>('/book', {
      event_type: workshop,
      start_time: '2026-11-23T10:00:00Z',
      event_guests: [guest]
    })
  await seat('one@example.com')
  t.match((await seat('two@example.com')).event, {
    event_guests: [{ email: 'one@example.com' }, { email: 'two@example.com' }]
  })
})

t.test('what cannot be canceled says why', async (t) => {
  const client = await start(t)
  const { event } = await book(client, thirtyMinutes, '2026-11-23T10:00:00Z')
  const past = await book(client, thirtyMinutes, '2026-11-23T08:00:00Z')
  const cancel = (uri: string, token: string = standard.tokens.ada) =>
    client.post(`/scheduled_events/${uuidOf(uri)}/cancellation`, undefined, as(token))
  const refused = (message: string) => ({ status: 403, body: { title: 'Permission Denied', message } })

  t.match(await cancel(event.uri, standard.tokens.noah), refused('You are not allowed to cancel this event'))
  t.match(await cancel(event.uri), { status: 201 }, 'no body at all is a body')
  t.match(await cancel(event.uri), refused('Event is already canceled'))
  await client.control('/clock', { now: '2026-11-23T08:00:00Z' })
  t.match(await cancel(past.event.uri), refused('Event in the past'))
})

t.test('a no-show can be marked once the event has begun, and unmarked', async (t) => {
  const client = await start(t)
  const { invitee } = await book(client, thirtyMinutes, '2026-11-23T10:00:00Z')
  const mark = () => client.post<{ resource: { uri: string } }>('/invitee_no_shows', { invitee: invitee.uri })
  t.match(await mark(), { status: 400, body: { details: [{ message: 'Event is not started yet' }] } })

  await client.control('/clock', { now: '2026-11-23T10:05:00Z' })
  const { status, body } = await mark()
  t.equal(status, 201)
  const path = `/invitee_no_shows/${uuidOf(body.resource.uri)}`
  t.strictSame((await client.get(path)).body, body)
  t.match(await client.get(new URL(invitee.uri).pathname), {
    body: { resource: { no_show: { uri: body.resource.uri } } }
  })
  t.match(await client.delete(path), { status: 204 })
  t.match(await client.get(path), { status: 404 })
  t.match(await client.get(new URL(invitee.uri).pathname), { body: { resource: { no_show: null } } })
})
