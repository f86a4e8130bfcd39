import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { request } from 'undici'
import { standard } from '../../src/sandbox/standard.ts'
import { as, type Booked, type Client, query, start, startedAt, until, uuidOf } from './support/client.ts'
import { openReceiver } from './support/receiver.ts'

const { thirtyMinutes, introCall, workshop, studioVisit } = standard.eventTypes

type Subscription = { uri: string; state: string; retry_started_at: string | null }
type Delivery = {
  event: string
  state: string
  attempts: { signature: string | null; status: number | null; error: string | null }[]
  next_attempt_at: string | null
}

const everything = [
  'invitee.created',
  'invitee.canceled',
  'invitee_no_show.created',
  'invitee_no_show.deleted'
]

const wish = (url: string, change: Record<string, unknown> = {}) => ({
  url,
  events: everything,
  organization: standard.organization,
  scope: 'organization',
  signing_key: 'secret',
  ...change
})

async function subscribe({ post }: Client, url: string, change: Record<string, unknown> = {}) {
  const { status, body } = await post<{ resource: Subscription }>('/webhook_subscriptions', wish(url, change))
  if (status !== 201) throw new Error(JSON.stringify(body))
  return {
    uri: body.resource.uri,
    path: new URL(body.resource.uri).pathname
  }
}

const book = ({ control }: Client, event_type: string = thirtyMinutes) =>
  control<Booked>('/book', { event_type })

const deliveriesOf = async ({ control }: Client) =>
  (await control<{ deliveries: Delivery[] }>('/deliveries')).deliveries

/** Waits until every delivery has been tried that often. */
const tried = (client: Client, times: number) =>
  until(
    () => deliveriesOf(client),
    (all) =>
      all.length > 0 && all.every(({ state, attempts }) => state !== 'sending' && attempts.length >= times)
  )

const subscriptionAt = async ({ get }: Client, path: string) =>
  (await get<{ resource: Subscription }>(path)).body.resource

t.test('a delivery is compact JSON, signed over its bytes', async (t) => {
  const client = await start(t)
  const { received, url } = await openReceiver(t)
  await subscribe(client, url)
  const { invitee, event } = await book(client)
  await tried(client, 1)

  t.equal(received.length, 1)
  const [{ headers, raw, body } = {}] = received
  const time = startedAt / 1000
  const digest = createHmac('sha256', 'secret').update(`${time}.${raw}`).digest('hex')
  t.equal(headers?.['calendly-webhook-signature'], `t=${time},v1=${digest}`)
  t.equal(headers?.['content-type'], 'application/json')
  t.equal(raw, JSON.stringify(body))
  t.match(body, {
    event: 'invitee.created',
    created_at: '2026-11-20T12:00:00.000000Z',
    created_by: standard.users.ada,
    payload: { uri: invitee.uri, status: 'active', scheduled_event: { uri: event.uri, status: 'active' } }
  })
  t.notOk('calendar_event' in Object(body?.payload.scheduled_event), 'which only the API shows')
})

t.test('a subscription made without a key is delivered to without a signature', async (t) => {
  const client = await start(t)
  const { received, url } = await openReceiver(t)
  await subscribe(client, url, { signing_key: undefined })
  await book(client)
  await tried(client, 1)
  t.equal(received.length, 1)
  t.notOk(received[0]?.headers['calendly-webhook-signature'])
})

t.test('a reschedule is two deliveries that name each other', async (t) => {
  const client = await start(t)
  const { received, url } = await openReceiver(t)
  const booked = await book(client)
  await subscribe(client, url)
  const moved = await client.control<Booked>('/reschedule', {
    invitee: booked.invitee.uri,
    start_time: '2026-11-24T10:00:00Z'
  })
  await tried(client, 1)

  const old = received.find(({ body }) => body.event === 'invitee.canceled')?.body.payload
  const fresh = received.find(({ body }) => body.event === 'invitee.created')?.body.payload
  t.equal(received.length, 2)
  t.match(old, {
    uri: booked.invitee.uri,
    status: 'canceled',
    rescheduled: true,
    new_invitee: moved.invitee.uri,
    cancellation: { canceler_type: 'invitee' },
    scheduled_event: { uri: booked.event.uri, status: 'canceled' }
  })
  t.match(fresh, {
    uri: moved.invitee.uri,
    email: booked.invitee.email,
    status: 'active',
    rescheduled: false,
    old_invitee: booked.invitee.uri,
    new_invitee: null,
    scheduled_event: { uri: moved.event.uri, start_time: '2026-11-24T10:00:00.000000Z' }
  })
})

t.test('a meeting may move into time that it took itself, but not into another’s', async (t) => {
  const client = await start(t)
  const at = (event_type: string, start_time: string) =>
    client.control<Booked>('/book', { event_type, start_time })
  const booked = await at(workshop, '2026-11-23T10:00:00Z')
  await at(thirtyMinutes, '2026-11-23T12:00:00Z')
  const move = (start_time: string) =>
    client.post('/__sandbox/reschedule', { invitee: booked.invitee.uri, start_time })
  t.match(await move('2026-11-23T12:00:00Z'), {
    status: 400,
    body: { details: [{ code: 'already_filled' }] }
  })
  t.match(await client.get(new URL(booked.invitee.uri).pathname), {
    body: { resource: { status: 'active' } }
  })
  t.match(await move('2026-11-23T10:00:00Z'), {
    status: 201,
    body: { invitee: { old_invitee: booked.invitee.uri } }
  })
})

t.test('cancellations and no-shows are delivered, one for each invitee concerned', async (t) => {
  const client = await start(t)
  const { received, url } = await openReceiver(t)
  const { event } = await book(client, workshop)
  await book(client, workshop)
  const { invitee } = await book(client)
  await subscribe(client, url)

  await client.post(`/scheduled_events/${uuidOf(event.uri)}/cancellation`)
  await client.control('/clock', { now: '2026-11-23T18:00:00Z' })
  const { body } = await client.post<{ resource: { uri: string } }>('/invitee_no_shows', {
    invitee: invitee.uri
  })
  await client.delete(new URL(body.resource.uri).pathname)
  await tried(client, 1)
  t.strictSame(received.map(({ body }) => body.event).sort(), [
    'invitee.canceled',
    'invitee.canceled',
    'invitee_no_show.created',
    'invitee_no_show.deleted'
  ])
  const noShow = (name: string) => received.find((one) => one.body.event === name)?.body.payload.no_show
  t.match(noShow('invitee_no_show.created'), { uri: body.resource.uri })
  t.equal(noShow('invitee_no_show.deleted'), null)
})

t.test('a subscription hears of its own organization or user, and of what it asked for', async (t) => {
  const client = await start(t)
  const { received, url } = await openReceiver(t)
  await subscribe(client, url, { scope: 'user', user: standard.users.noah, events: ['invitee.created'] })
  await book(client, thirtyMinutes)
  await book(client, studioVisit)
  const { invitee } = await book(client, introCall)
  await client.control('/cancel', { invitee: invitee.uri })
  await tried(client, 1)
  t.strictSame(
    received.map(({ body }) => [body.event, body.payload.uri]),
    [['invitee.created', invitee.uri]]
  )
})

t.test('who may subscribe to what, and where to', async (t) => {
  const client = await start(t)
  const create = (change: Record<string, unknown>, token: string = standard.tokens.ada) =>
    client.post<{ resource: { uri: string } }>(
      '/webhook_subscriptions',
      wish('https://receiver.example/hook', change),
      as(token)
    )
  t.match(await create({ url: 'http://receiver.example/hook' }), {
    status: 400,
    body: { details: [{ parameter: 'url' }] }
  })
  t.match(await create({ events: ['invitee.rescheduled'] }), { status: 400 })
  t.match(await create({ scope: 'user' }), { status: 400, body: { details: [{ parameter: 'user' }] } })
  t.match(await create({}, standard.tokens.noah), { status: 403 })
  t.match(await create({}, standard.tokens.mei), { status: 403 })

  const { status, body } = await create({})
  t.equal(status, 201)
  t.match(body.resource, {
    callback_url: 'https://receiver.example/hook',
    state: 'active',
    retry_started_at: null,
    creator: standard.users.ada
  })
  t.notOk('signing_key' in body.resource)
  t.strictSame((await create({})).body, {
    title: 'Already Exists',
    message: 'Hook with this url already exists'
  })

  const list = `/webhook_subscriptions?${query({ organization: standard.organization, scope: 'organization' })}`
  t.match(await client.get(list), { body: { collection: [body.resource], pagination: { count: 1 } } })
  const path = new URL(body.resource.uri).pathname
  t.match(await client.delete(path), { status: 204 })
  t.match(await client.get(path), { status: 404 })
  t.match(await create({}), { status: 201 }, 'the address is free again')
})

t.test(
  'what old clients send is understood: bracketed forms, and a content type without a body',
  async (t) => {
    const { sandbox } = await start(t)
    const send = (path: string, method: 'POST' | 'DELETE', type: string, body: string) =>
      request(sandbox.url + path, {
        method,
        headers: { ...as(sandbox.token), 'user-agent': 'old-client', 'content-type': type },
        body
      })
    const form = new URLSearchParams([
      ['url', 'https://receiver.example/hook'],
      ['events[]', 'invitee.created'],
      ['events[]', 'invitee.canceled'],
      ['organization', standard.organization],
      ['scope', 'organization']
    ])
    const created = await send(
      '/webhook_subscriptions',
      'POST',
      'application/x-www-form-urlencoded',
      form.toString()
    )
    t.equal(created.statusCode, 201)
    const { resource } = Object(await created.body.json())
    t.strictSame(resource.events, ['invitee.created', 'invitee.canceled'])
    const deleted = await send(new URL(resource.uri).pathname, 'DELETE', 'application/json', '')
    t.equal(deleted.statusCode, 204)

    const nested = new URLSearchParams([
      ['event_type', introCall],
      ['start_time', '2026-11-23T15:00:00Z'],
      ['invitee[name]', 'Grace'],
      ['invitee[email]', 'grace@example.com'],
      ['invitee[timezone]', 'Etc/UTC']
    ])
    const booked = await send('/invitees', 'POST', 'application/x-www-form-urlencoded', nested.toString())
    t.match(await booked.body.json(), { resource: { email: 'grace@example.com' } })
  }
)

t.test(
  'a failed delivery is tried again by the sandbox’s clock, signed anew, until it succeeds',
  async (t) => {
    const client = await start(t)
    let status = 500
    const { received, url } = await openReceiver(t, () => status)
    const { path } = await subscribe(client, url)
    await book(client)

    const waits: number[] = []
    for (const times of [1, 2, 3, 4]) {
      const [delivery] = await tried(client, times)
      const { now } = await client.control<{ now: string }>('/state')
      const wait = (Date.parse(String(delivery?.next_attempt_at)) - Date.parse(now)) / 1000
      waits.push(wait)
      t.match(await subscriptionAt(client, path), {
        state: 'active',
        retry_started_at: '2026-11-20T12:00:00.000000Z'
      })
      if (times === 4) status = 204
      await client.control('/clock', { advance_seconds: wait })
    }
    const [delivery] = await tried(client, 5)
    t.strictSame(waits, [1, 2, 4, 8])
    t.equal(delivery?.state, 'delivered')
    t.equal(new Set(received.map(({ raw }) => raw)).size, 1, 'the bytes stay the same')
    t.equal(new Set(received.map(({ headers }) => headers['calendly-webhook-signature'])).size, 5)
    t.match(await subscriptionAt(client, path), { state: 'active', retry_started_at: null })
  }
)

t.test('retries come by themselves when their time has come', async (t) => {
  const client = await start(t, { now: Date.now, retryDelayMs: (failures) => 5 * failures })
  const answers = [500, 503, 204]
  const { received, url } = await openReceiver(t, () => answers.shift())
  await subscribe(client, url)
  await book(client)
  t.match(await tried(client, 3), [{ state: 'delivered' }])
  t.equal(received.length, 3)
})

t.test('after 24 hours of failure the next undelivered message disables the subscription', async (t) => {
  const client = await start(t)
  const { received, url } = await openReceiver(t, () => 503)
  const { path } = await subscribe(client, url)
  await book(client)
  await tried(client, 1)
  await client.control('/clock', { advance_seconds: 24 * 3600 })
  const [first] = await tried(client, 2)
  t.match(first, { state: 'lost', next_attempt_at: null })
  t.match(await subscriptionAt(client, path), { state: 'active' }, 'one message alone does not disable it')

  await book(client)
  await until(
    () => subscriptionAt(client, path),
    ({ state }) => state === 'disabled'
  )
  await book(client)
  t.equal((await deliveriesOf(client)).length, 2, 'nothing is kept for a disabled subscription')
  t.equal(received.length, 3)
})

t.test('subscriptions can be disabled at once, with what was still to be delivered', async (t) => {
  const client = await start(t)
  const { path } = await subscribe(client, 'http://127.0.0.1:9/closed')
  await book(client)
  await tried(client, 1)
  t.same(await client.control('/webhooks/disable', {}), { disabled: 1 })
  t.match(await subscriptionAt(client, path), { state: 'disabled', retry_started_at: /^20/ })
  await book(client)
  t.equal((await deliveriesOf(client)).length, 1, 'nothing more is sent there')
  t.same(await client.control('/webhooks/disable', {}), { disabled: 0 })
})

t.test('events are told to whom they concern, and to tokens that may see them', async (t) => {
  const client = await start(t)
  const ask = async (events: string[], scope: string, user?: string) =>
    (
      await client.post('/webhook_subscriptions', {
        ...wish('https://example.com/hook', { events, scope }),
        user
      })
    ).status
  t.equal(await ask(['routing_form_submission.created'], 'user', standard.users.ada), 400)
  t.equal(await ask(['meeting_recap.created'], 'organization'), 400)
  t.equal(await ask(['routing_form_submission.created', 'event_type.updated'], 'organization'), 201)
})

t.test('a success within the 24 hours starts the count again', async (t) => {
  const client = await start(t)
  let status = 500
  const { url } = await openReceiver(t, () => status)
  const { path } = await subscribe(client, url)
  await book(client)
  await tried(client, 1)
  status = 200
  await client.control('/clock', { advance_seconds: 23 * 3600 })
  await tried(client, 2)
  status = 500
  await client.control('/clock', { advance_seconds: 3600 })
  await book(client)
  await tried(client, 1)
  t.match(await subscriptionAt(client, path), {
    state: 'active',
    retry_started_at: '2026-11-21T12:00:00.000000Z'
  })
})

t.test('redirects, silence and closed ports are failures', async (t) => {
  const client = await start(t, { readTimeoutMs: 20 })
  const redirecting = await openReceiver(t, () => 302)
  const silent = await openReceiver(t, () => undefined)
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  for (const url of [redirecting.url, silent.url, `http://127.0.0.1:${port}/`]) await subscribe(client, url)
  await book(client)
  t.match(await tried(client, 1), [
    { state: 'waiting', attempts: [{ status: 302, error: null }] },
    { state: 'waiting', attempts: [{ status: null, error: 'Headers Timeout Error' }] },
    { state: 'waiting', attempts: [{ status: null, error: /ECONNREFUSED/ }] }
  ])
  t.equal(redirecting.received.length, 1, 'the redirect was not followed')
})

t.test('what is withheld comes when released, newest first if reordered', async (t) => {
  const client = await start(t)
  const { received, url } = await openReceiver(t)
  await subscribe(client, url)
  await client.control('/webhooks/mode', { withhold: true, reorder: true })
  const uris: string[] = []
  for (let count = 0; count < 3; count++) uris.push((await book(client)).invitee.uri)
  t.strictSame(
    (await deliveriesOf(client)).map(({ state }) => state),
    ['withheld', 'withheld', 'withheld']
  )
  t.equal(received.length, 0)
  t.strictSame(await client.control('/webhooks/release', {}), { released: 3 })
  await tried(client, 1)
  t.strictSame(
    received.map(({ body }) => body.payload.uri),
    uris.toReversed()
  )
})

t.test('a reordered reschedule says created before canceled', async (t) => {
  const client = await start(t)
  const { received, url } = await openReceiver(t)
  const { invitee } = await book(client)
  await subscribe(client, url)
  await client.control('/webhooks/mode', { reorder: true })
  await client.control('/reschedule', { invitee: invitee.uri, start_time: '2026-11-24T10:00:00Z' })
  await tried(client, 1)
  t.strictSame(
    received.map(({ body }) => body.event),
    ['invitee.created', 'invitee.canceled']
  )
})

t.test('duplicates have the same bytes, delays follow the clock', async (t) => {
  const client = await start(t)
  const { received, url } = await openReceiver(t)
  await subscribe(client, url)
  await client.control('/webhooks/mode', { duplicate: true, delay_ms: 60_000 })
  await book(client)
  t.match(await deliveriesOf(client), [
    { state: 'waiting', attempts: { length: 0 }, next_attempt_at: '2026-11-20T12:01:00.000000Z' },
    { state: 'waiting' }
  ])
  await client.control('/clock', { advance_seconds: 60 })
  await tried(client, 1)
  t.equal(received.length, 2)
  t.equal(received[0]?.raw, received[1]?.raw)
})

t.test('500 bookings at once become 500 deliveries', async (t) => {
  const client = await start(t)
  const { received, url } = await openReceiver(t)
  await subscribe(client, url)
  const { invitees } = await client.control<{ invitees: string[] }>('/book-many', {
    event_type: introCall,
    count: 500
  })
  await until(
    () => received.length,
    (count) => count >= 500
  )
  t.strictSame(new Set(received.map(({ body }) => body.payload.uri)), new Set(invitees))
})

t.test('sample data looks like a delivery and books nothing', async (t) => {
  const client = await start(t)
  const ask = (event: string) =>
    client.get(
      `/sample_webhook_data?${query({ event, organization: standard.organization, scope: 'organization' })}`
    )
  t.match(await ask('invitee.canceled'), {
    status: 200,
    body: {
      event: 'invitee.canceled',
      created_by: standard.users.ada,
      payload: {
        status: 'canceled',
        scheduled_event: { status: 'canceled', invitees_counter: { active: 0 } }
      }
    }
  })
  t.match(await ask('invitee_no_show.created'), {
    body: { payload: { no_show: { uri: /invitee_no_shows/ } } }
  })
  t.match(await ask('contact.created'), { status: 400 })
  t.match(await client.control('/state'), { scheduled_events: { length: 0 } })
})
