import t from 'tap'
import { standard, standardSeed } from '../../src/sandbox/standard.ts'
import { as, type Booked, type Client, query, start, uuidOf } from './support/client.ts'

const { users, tokens } = standard
const { teamCall, panel, kickoff, thirtyMinutes } = standard.eventTypes
const monday = (time: string) => `2026-11-23T${time}:00Z`

type Times = { collection: { start_time: string }[] }
type Event = { resource: { event_memberships: { user: string }[]; location: { type: string } | null } }
type Invitee = { resource: { event: string; uri: string } }

/** The first and the last start on Monday, and how many there are. */
async function span({ get }: Client, event_type: string) {
  const range = { start_time: monday('00:00'), end_time: '2026-11-24T00:00:00Z' }
  const { body } = await get<Times>(`/event_type_available_times?${query({ event_type, ...range })}`)
  const times = body.collection.map(({ start_time }) => start_time.slice(11, 16))
  return [times[0], times.at(-1), times.length]
}

const asking = (event_type: string, start_time: string, change: object = {}) => ({
  event_type,
  start_time,
  invitee: { name: 'Grace Example', email: 'grace@example.com', timezone: 'Europe/Paris' },
  ...(event_type === panel && { location: { kind: 'google_conference' } }),
  ...change
})
const book = ({ post }: Client, eventType: string, time: string) =>
  post<Invitee>('/invitees', asking(eventType, monday(time)))

async function hostsOf({ get }: Client, { event }: { event: string }) {
  const { body } = await get<Event>(`/scheduled_events/${uuidOf(event)}`)
  return body.resource.event_memberships.map(({ user }) => user)
}

/** Whom a booking gets, by name; `undefined` where it is refused. */
async function assigned(client: Client, eventType: string, time: string) {
  const { status, body } = await book(client, eventType, time)
  if (status !== 201) return undefined
  const hosts = await hostsOf(client, body.resource)
  return hosts.map((host) => Object.entries(users).find(([, uri]) => uri === host)?.[0])
}

t.test('a team offers when one, all, or one of each pool can', async (t) => {
  const client = await start(t)
  t.strictSame(await span(client, teamCall), ['08:00', '21:30', 28], 'from Berlin to New York')
  t.strictSame(await span(client, panel), ['09:00', '15:30', 14], 'where Berlin and Lisbon meet')
  t.strictSame(await span(client, kickoff), ['14:00', '16:30', 6], 'Berlin or Lisbon, and New York')
})

t.test('round robin gives the host who is free and has the fewest meetings of that type', async (t) => {
  const client = await start(t)
  t.strictSame(await assigned(client, teamCall, '14:00'), ['ada'])
  t.strictSame(await assigned(client, teamCall, '15:00'), ['noah'])
  t.strictSame(await assigned(client, teamCall, '15:30'), ['tomas'])
  t.strictSame(await assigned(client, teamCall, '14:30'), ['ada'], 'all have as many: the first of them')
  t.strictSame(await assigned(client, teamCall, '08:00'), ['ada'], 'nobody else is at work')
  t.strictSame(await assigned(client, teamCall, '14:00'), ['noah'], 'Ada is taken')
  t.strictSame(await assigned(client, teamCall, '14:00'), ['tomas'])
  t.match(await book(client, teamCall, '14:00'), {
    status: 400,
    body: { details: [{ code: 'already_filled' }] }
  })
  t.match(await book(client, teamCall, '07:30'), {
    status: 400,
    body: { details: [{ message: 'That time is unavailable' }] }
  })
})

t.test('a collective type takes the time of every host, whose own types lose it', async (t) => {
  const client = await start(t)
  t.strictSame(await assigned(client, panel, '10:00'), ['ada', 'tomas'])
  const own = await client.post(
    '/invitees',
    asking(thirtyMinutes, monday('10:00'), { location: { kind: 'google_conference' } })
  )
  t.match(own, { status: 400, body: { details: [{ code: 'already_filled' }] } })
  t.equal(await assigned(client, panel, '10:00'), undefined)
  await client.control('/busy', { user: users.tomas, start_time: monday('11:00'), end_time: monday('12:00') })
  t.equal(await assigned(client, panel, '11:30'), undefined, 'one of them cannot')
})

t.test('of each pool one host is taken', async (t) => {
  const client = await start(t)
  t.strictSame(await assigned(client, kickoff, '15:00'), ['ada', 'noah'])
  t.equal(await assigned(client, kickoff, '15:00'), undefined, 'Noah is taken')
  t.strictSame(await assigned(client, kickoff, '15:30'), ['tomas', 'noah'])
})

t.test('what is canceled frees every host, and no longer counts as a meeting', async (t) => {
  const client = await start(t)
  const { body } = await book(client, panel, '14:00')
  await client.post(`/scheduled_events/${uuidOf(body.resource.event)}/cancellation`)
  t.strictSame(await assigned(client, panel, '14:00'), ['ada', 'tomas'])
  const first = await book(client, teamCall, '15:00')
  t.strictSame(await hostsOf(client, first.body.resource), [users.ada])
  await client.post(`/scheduled_events/${uuidOf(first.body.resource.event)}/cancellation`)
  t.strictSame(await assigned(client, teamCall, '15:00'), ['ada'])
})

t.test('whoever reschedules may get another host, and their old time may overlap the new one', async (t) => {
  const client = await start(t)
  const { body } = await book(client, panel, '14:00')
  const moved = await client.control<Booked>('/reschedule', {
    invitee: body.resource.uri,
    start_time: monday('14:30')
  })
  t.match(moved.event, { event_memberships: [{ user: users.ada }, { user: users.tomas }] })
})

t.test('a round robin type takes no location and gives its own', async (t) => {
  const client = await start(t)
  const location = { kind: 'zoom_conference' }
  t.match(await client.post('/invitees', asking(teamCall, monday('10:00'), { location })), {
    status: 400,
    body: { title: 'Invalid Argument', details: [{ parameter: 'location' }] }
  })
  const { body } = await book(client, teamCall, '10:00')
  const event = await client.get<Event>(`/scheduled_events/${uuidOf(body.resource.event)}`)
  t.match(event.body.resource.location, { type: 'zoom' })
  t.match(await client.post('/invitees', asking(panel, monday('10:30'), { location: undefined })), {
    status: 400,
    body: { details: [{ code: 'invalid_location_choice' }] }
  })
})

t.test('a team type tells its team, its hosts, and is listed with each of them', async (t) => {
  const { get } = await start(t)
  t.match((await get(`/event_types/${uuidOf(kickoff)}`)).body, {
    resource: {
      pooling_type: 'multi_pool',
      kind: 'solo',
      profile: { type: 'Team', name: 'Advisors', owner: /\/teams\// },
      scheduling_url: 'https://calendly.com/northwind-advisors/kickoff'
    }
  })
  const members = await get<{ collection: { uri: string; member: { uri: string } }[] }>(
    `/event_type_memberships?event_type=${teamCall}`
  )
  t.strictSame(
    members.body.collection.map(({ member }) => member.uri).toSorted(),
    [users.ada, users.noah, users.tomas].toSorted()
  )
  t.equal(new Set(members.body.collection.map(({ uri }) => uri)).size, 3)
  for (const [user, expected] of [
    [users.tomas, ['Kickoff', 'Panel', 'Team Call']],
    [users.noah, ['Intro Call', 'Kickoff', 'Team Call']],
    [users.lena, []]
  ] as const) {
    const { body } = await get<{ collection: { name: string }[] }>(`/event_types?user=${user}`)
    t.strictSame(
      body.collection.map(({ name }) => name),
      expected
    )
  }
  t.match((await get(`/event_type_availability_schedules?event_type=${panel}`)).body, {
    collection: [
      { availability_rule: { timezone: 'Europe/Berlin' } },
      { availability_rule: { timezone: 'Europe/Lisbon' } }
    ]
  })
})

t.test('a meeting is seen by each of its hosts, in lists and busy times too', async (t) => {
  const client = await start(t)
  const { body } = await book(client, kickoff, '15:00')
  const noah = as(tokens.noah)
  t.match(await client.get(`/scheduled_events/${uuidOf(body.resource.event)}`, noah), { status: 200 })
  t.match(await client.get(`/scheduled_events?user=${users.noah}`, noah), {
    body: { collection: [{ uri: body.resource.event }] }
  })
  const range = { start_time: monday('00:00'), end_time: '2026-11-24T00:00:00Z' }
  for (const user of [users.ada, users.noah]) {
    t.match(await client.get(`/user_busy_times?${query({ user, ...range })}`), {
      body: { collection: [{ type: 'calendly', event: { uri: body.resource.event } }] }
    })
  }
  t.match(await client.get(`/user_busy_times?${query({ user: users.tomas, ...range })}`), {
    body: { collection: [] }
  })
  const elsewhere = await client.get(`/user_busy_times?${query({ user: users.mei, ...range })}`)
  t.match(elsewhere, { status: 403, body: { message: 'This user is not in your organization' } })
})

t.test('a seed whose event type belongs to nobody, or to too many, is refused', async (t) => {
  const { post } = await start(t)
  const [type] = standardSeed.event_types
  for (const wrong of [
    { host: undefined },
    { team: 'ADVISORYTEAM2345' },
    {
      host: undefined,
      team: 'NOSUCHTEAM234567',
      pooling: { type: 'round_robin', pools: [['ADAHOSTBERLIN234']] }
    }
  ]) {
    const seed = { ...standardSeed, event_types: [{ ...type, ...wrong }] }
    t.match(await post('/__sandbox/reset', { seed }), { status: 400 })
  }
})
