import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { request } from 'undici'
import { openSandbox } from '../../src/sandbox/sandbox.ts'
import type { SeedInput } from '../../src/sandbox/seed.ts'
import { standard } from '../../src/sandbox/standard.ts'
import { as, type Booked, meeting, query, start } from './support/client.ts'

const { thirtyMinutes, consultation, introCall } = standard.eventTypes

type State = { now: string; scheduled_events: { start_time: string }[]; tokens: { revoked: boolean }[] }

t.test('a reset puts everything back: bookings, tokens, clock, faults, logs', async (t) => {
  const { get, post, control } = await start(t)
  const before = await control<State>('/state')
  await control('/book', { event_type: thirtyMinutes })
  await post('/invitees', { nonsense: true })
  await control('/clock', { advance_seconds: 3600 })
  await control('/faults', { kind: 'hang' })
  await control('/webhooks/mode', { withhold: true })
  await post('/__sandbox/tokens/revoke', { token: standard.tokens.ada })

  const after = await control<State>('/reset', {})
  t.equal(after.now, before.now)
  t.equal(after.scheduled_events.length, 0)
  t.strictSame(after.tokens, before.tokens)
  t.strictSame(await control('/faults'), { faults: [] })
  t.strictSame(await control('/violations'), { violations: [] })
  t.match(await get('/users/me'), { status: 200 })
})

t.test('a reset may bring a seed of its own, and refuses one that does not hold together', async (t) => {
  const { get, post, control } = await start(t)
  const seed = {
    organizations: [{ id: 'ORG', name: 'One-person business', stage: 'free' }],
    users: [
      {
        id: 'ZOE',
        organization: 'ORG',
        role: 'owner',
        name: 'Zoe',
        slug: 'zoe',
        email: 'zoe@example.com',
        timezone: 'Australia/Lord_Howe'
      }
    ],
    tokens: [{ name: 'zoe', value: 'token-of-zoe', user: 'ZOE' }],
    event_types: [{ id: 'CHAT', host: 'ZOE', name: 'Chat', slug: 'chat', duration: 15 }]
  } satisfies SeedInput
  await control('/reset', { seed })
  const zoe = { authorization: 'Bearer token-of-zoe' }
  t.match(await get('/users/me', zoe), {
    body: { resource: { name: 'Zoe' } }
  })
  t.match(await get('/users/me'), { status: 401 }, 'the old tokens are gone')

  const reset = (change: Record<string, unknown>) =>
    post('/__sandbox/reset', { seed: { ...seed, ...change } })
  t.match(await reset({ tokens: [{ name: 'who', value: 'token-of-nobody', user: 'NOBODY' }] }), {
    status: 400,
    body: { message: 'The seed speaks of https://api.calendly.com/users/NOBODY, which is not in it.' }
  })
  t.match(
    await reset({ event_types: [{ id: 'CHAT', host: 'ZOE', name: 'Chat', slug: 'chat', length: 15 }] }),
    {
      status: 400,
      body: { details: [{ parameter: 'event_types[0].length' }] }
    }
  )
  t.match(await get('/users/me', zoe), { status: 200 }, 'a refused seed changes nothing')
  await t.rejects(openSandbox({ seed: { ...seed, users: [] } }))
})

t.test('the clock moves forward only', async (t) => {
  const { post } = await start(t)
  const move = (body: Record<string, unknown>) => post('/__sandbox/clock', body)
  t.match(await move({ now: '2026-12-01T00:00:00Z' }), {
    status: 200,
    body: { now: '2026-12-01T00:00:00.000000Z' }
  })
  t.match(await move({ advance_seconds: 1.5 }), { body: { now: '2026-12-01T00:00:01.500000Z' } })
  t.match(await move({ now: '2026-11-30T00:00:00Z' }), { status: 400 })
  t.match(await move({ advance_seconds: -1 }), { status: 400 })
})

t.test('a person takes the next free time and answers what the page insists on', async (t) => {
  const { control } = await start(t)
  const { event, invitee } = await control<Booked>('/book', {
    event_type: consultation,
    name: 'Iris',
    email: 'iris@example.org'
  })
  t.equal(event.start_time, '2026-11-20T14:00:00.000000Z')
  t.match(invitee, {
    name: 'Iris',
    email: 'iris@example.org',
    scheduling_method: null,
    questions_and_answers: [
      { question: 'Company name', position: 0 },
      { question: 'Phone Number', position: 2 },
      { question: 'Team size', answer: '1-10', position: 3 }
    ]
  })
})

t.test('a person is refused what the page would refuse', async (t) => {
  const { post } = await start(t)
  const book = (change: Record<string, unknown>) =>
    post('/__sandbox/book', { event_type: thirtyMinutes, start_time: '2026-11-23T10:00:00Z', ...change })
  t.match(await book({ location: { kind: 'zoom_conference' } }), { status: 400 })
  t.match(await book({}), { status: 201 })
  t.match(await book({}), { status: 400, body: { details: [{ code: 'already_filled' }] } })
  t.match(await book({ event_type: `${thirtyMinutes}x` }), { status: 404 })
})

t.test('many bookings take distinct times, and a sandbox full of them stays usable', async (t) => {
  const { get, control } = await start(t)
  const { invitees } = await control<{ invitees: string[] }>('/book-many', {
    event_type: introCall,
    count: 5000
  })
  t.equal(new Set(invitees).size, 5000)
  const { scheduled_events } = await control<State>('/state')
  t.equal(new Set(scheduled_events.map(({ start_time }) => start_time)).size, 5000)
  const found = await get(
    `/scheduled_events?${query({ organization: standard.organization, invitee_email: 'invitee-4711@example.com' })}`
  )
  t.match(found, { body: { pagination: { count: 1 } } })
})

t.test('a group is filled seat by seat', async (t) => {
  const { control } = await start(t)
  await control('/book-many', { event_type: standard.eventTypes.workshop, count: 7 })
  t.match(await control('/state'), {
    scheduled_events: [{ invitees_counter: { active: 5 } }, { invitees_counter: { active: 2 } }]
  })
})

t.test('the request log tells what was asked, by whose token, and with what result', async (t) => {
  const { post, get, control, delete: remove, sandbox } = await start(t)
  const body = meeting('2026-11-23T10:00:00Z')
  await post('/invitees', body)
  await get('/users/me?x=1')
  await get('/users/me', { authorization: 'Bearer unknown-token' })
  const log = await control<{ requests: unknown[] }>('/requests')
  t.match(log, {
    requests: [
      {
        at: '2026-11-20T12:00:00.000000Z',
        method: 'POST',
        path: '/invitees',
        query: {},
        body,
        token: 'ada',
        status: 201,
        violations: []
      },
      {
        method: 'GET',
        path: '/users/me',
        query: { x: '1' },
        status: 400,
        violations: ['x is not a documented parameter']
      },
      { token: null, status: 401 }
    ]
  })
  t.equal(log.requests.length, 3, 'the control API is not in it')
  t.notMatch(JSON.stringify(log), new RegExp(`${sandbox.token}|unknown-token`))
  await remove('/__sandbox/requests')
  t.strictSame(await control('/requests'), { requests: [] })
})

t.test('an unknown control is a 404, and no token is needed for the known ones', async (t) => {
  const { sandbox, get } = await start(t)
  t.match(await get('/__sandbox/nothing'), { status: 404 })
  const { statusCode, body } = await request(`${sandbox.url}/__sandbox/state`)
  t.equal(statusCode, 200)
  t.match(await body.json(), { signing_key: standard.signingKey })
})

t.test('tokens are taken away and given back, one or all of them', async (t) => {
  const { post, get } = await start(t)
  const statuses = () =>
    Promise.all(
      [standard.tokens.ada, standard.tokens.adaSpare, standard.tokens.mei].map(
        async (token) => (await get('/users/me', as(token))).status
      )
    )
  t.match(await post('/__sandbox/tokens/revoke', { token: 'ada-spare' }), { status: 204 })
  t.strictSame(await statuses(), [200, 401, 200])
  await post('/__sandbox/tokens/restore', { token: standard.tokens.adaSpare })
  t.strictSame(await statuses(), [200, 200, 200])
  await post('/__sandbox/tokens/revoke', {})
  t.strictSame(await statuses(), [401, 401, 401])
  await post('/__sandbox/tokens/restore', {})
  t.strictSame(await statuses(), [200, 200, 200])
  t.match(await post('/__sandbox/tokens/restore', { token: 'nobody' }), { status: 404 })
})

t.test('the program prints how to reach it, and ends on SIGTERM', async (t) => {
  const child = spawn(process.execPath, ['src/sandbox/main.ts', '--plan', 'free'], {
    env: { ...process.env, PORT: '0' }
  })
  t.teardown(() => child.kill('SIGKILL'))
  const printed: string[] = []
  for await (const line of createInterface(child.stdout)) {
    printed.push(line)
    if (line.startsWith('Control:')) break
  }
  const exported = Object.fromEntries(
    printed.flatMap((line) =>
      [...line.matchAll(/export (\w+)=(\S+)/g)].map(([, name, value]) => [name, value])
    )
  )
  t.match(exported, {
    CALENDLY_API_TOKEN: standard.tokens.ada,
    CALENDLY_WEBHOOK_SIGNING_KEY: standard.signingKey
  })
  const { statusCode, headers, body } = await request(`${exported.CALENDLY_API_BASE_URL}/users/me`, {
    headers: { 'user-agent': 'test', authorization: `Bearer ${exported.CALENDLY_API_TOKEN}` }
  })
  t.equal(statusCode, 200)
  t.equal(headers['x-ratelimit-limit'], '50', 'on the plan it was started with')
  await body.dump()

  child.kill('SIGTERM')
  t.strictSame(await once(child, 'exit'), [0, null])
})

/** Runs the program to its end. */
async function runToEnd(...flags: string[]) {
  const child = spawn(process.execPath, ['src/sandbox/main.ts', ...flags])
  const said = { out: '', error: '' }
  child.stdout.on('data', (chunk) => {
    said.out += chunk
  })
  child.stderr.on('data', (chunk) => {
    said.error += chunk
  })
  const [code] = await once(child, 'close')
  return { code, ...said }
}

t.test('the program refuses what it does not know, with its usage', async (t) => {
  for (const [flags, complaint] of [
    [['--plna', 'free'], /--plna/],
    [['--plan', 'gold'], /no plan gold/],
    [['--plan'], /--plan/],
    [['free'], /free/]
  ] as const) {
    const { code, out, error } = await runToEnd(...flags)
    t.equal(code, 1)
    t.match(error, complaint)
    t.match(error, /Usage: npm run sandbox/)
    t.equal(out, '')
  }
  t.match(await runToEnd('--help'), { code: 0, out: /Usage: npm run sandbox/ })
})
