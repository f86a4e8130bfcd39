import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { Pool, request } from 'undici'
import { standard } from '../../src/sandbox/standard.ts'
import { as, meeting, start, until } from './support/client.ts'

type Logged = { requests: { path: string; status: number | null; fault: string | null }[] }

/** A sandbox with one fault in it, and what a client needs to run into it. */
async function withFault(t: Test, fault: Record<string, unknown>) {
  const client = await start(t)
  await client.control('/faults', fault)
  const { sandbox, control } = client
  const headers = { ...as(sandbox.token), 'user-agent': 'sandbox-tests', 'content-type': 'application/json' }
  return {
    ...client,
    book: (signal?: AbortSignal) =>
      request(`${sandbox.url}/invitees`, {
        method: 'POST',
        headers,
        body: JSON.stringify(meeting('2026-11-23T10:00:00Z')),
        ...(signal && { signal })
      }),
    isBooked: async () =>
      (await control<{ scheduled_events: unknown[] }>('/state')).scheduled_events.length === 1,
    lastRequest: async () => (await control<Logged>('/requests')).requests.at(-1)
  }
}

t.test('latency holds one request back and lets others pass', async (t) => {
  const { get } = await withFault(t, { match: { path: '/users/me' }, kind: 'latency', latency_ms: 200 })
  const slow = get('/users/me').then(() => 'slow')
  const fast = get(`/event_types?user=${standard.users.ada}`).then(() => 'fast')
  t.equal(await Promise.race([slow, fast]), 'fast')
  t.equal(await slow, 'slow')
})

t.test('a status comes instead of the request, with the body Calendly gives it', async (t) => {
  const { get, book, isBooked, control } = await withFault(t, { kind: 'status' })
  t.match(await get('/users/me'), {
    status: 500,
    body: {
      title: 'Internal Server Error',
      message: 'The server encountered an unexpected condition that prevented it from fulfilling the request.'
    }
  })
  const answer = await book()
  t.equal(answer.statusCode, 500)
  await answer.body.dump()
  t.notOk(await isBooked())

  await control('/reset', {})
  await control('/faults', { kind: 'status', status: 424 })
  t.match(await get('/users/me'), { body: { title: 'External Calendar Error' } })
})

t.test('a status may bring any body, as JSON or as HTML', async (t) => {
  const { sandbox, get, control } = await withFault(t, { kind: 'status', status: 200, body: null, times: 1 })
  t.match(await get('/users/me'), { status: 200, body: null })
  await control('/faults', { kind: 'status', status: 502, body: '<h1>Bad gateway</h1>' })
  const answer = await request(`${sandbox.url}/users/me`)
  t.equal(answer.headers['content-type'], 'text/html')
  t.equal(await answer.body.text(), '<h1>Bad gateway</h1>')
})

t.test('a processed status hides that the booking was made', async (t) => {
  const { book, isBooked, lastRequest } = await withFault(t, { kind: 'status', processed: true })
  const answer = await book()
  t.equal(answer.statusCode, 500)
  t.match(await answer.body.json(), { title: 'Internal Server Error' })
  t.match(await lastRequest(), { path: '/invitees', status: 201, fault: 'status' })
  t.ok(await isBooked())
})

t.test('a rate limit says in its headers how long to wait', async (t) => {
  const { get, control } = await withFault(t, { kind: 'rate_limit', reset_seconds: 7, times: 1 })
  t.match(await get('/users/me'), {
    status: 429,
    headers: { 'x-ratelimit-limit': '500', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '7' }
  })
  await control('/faults', { kind: 'rate_limit', limit: 10 })
  t.match(await get('/users/me'), { headers: { 'x-ratelimit-limit': '10', 'x-ratelimit-reset': '60' } })
})

for (const kind of ['drop_before', 'reset_before']) {
  t.test(`${kind} leaves nothing behind`, async (t) => {
    const { book, isBooked, lastRequest } = await withFault(t, { kind })
    await t.rejects(book(), { code: /^(UND_ERR_SOCKET|ECONNRESET)$/ })
    t.notOk(await isBooked())
    t.match(await lastRequest(), { path: '/invitees', status: null, fault: kind })
  })
}

t.test('a fault may wait for a connection that has served before', async (t) => {
  const { sandbox } = await withFault(t, { kind: 'reset_before', match: { reused: true } })
  const pool = new Pool(sandbox.url, { connections: 1 })
  t.teardown(() => pool.destroy())
  const headers = { ...as(sandbox.token), 'user-agent': 'sandbox-tests' }
  const ask = async () => {
    const { statusCode, body } = await pool.request({ method: 'GET', path: '/users/me', headers })
    await body.dump()
    return statusCode
  }
  t.equal(await ask(), 200)
  await t.rejects(ask(), { code: /^(UND_ERR_SOCKET|ECONNRESET)$/ }, 'reset on the kept connection')
  t.equal(await ask(), 200, 'a new one serves')
})

for (const kind of ['drop_after', 'reset_after']) {
  t.test(`${kind} loses the answer to a booking that was made`, async (t) => {
    const { book, isBooked, lastRequest } = await withFault(t, { kind })
    await t.rejects(book(), { code: /^(UND_ERR_SOCKET|ECONNRESET)$/ })
    t.ok(await isBooked())
    t.match(await lastRequest(), { path: '/invitees', status: 201, fault: kind })
  })
}

t.test('a truncated answer ends before its length, after the booking was made', async (t) => {
  const { book, isBooked } = await withFault(t, { kind: 'truncate' })
  const answer = await book()
  t.equal(answer.statusCode, 201)
  await t.rejects(answer.body.text(), { code: 'UND_ERR_SOCKET' })
  t.ok(await isBooked())
})

t.test('a malformed answer is complete, a success, and no JSON', async (t) => {
  const { book, isBooked } = await withFault(t, { kind: 'malformed' })
  const answer = await book()
  t.equal(answer.statusCode, 201)
  const text = await answer.body.text()
  t.equal(Number(answer.headers['content-length']), text.length)
  t.throws(() => JSON.parse(text), SyntaxError)
  t.ok(await isBooked())
})

t.test('a hanging request does nothing, unless it is to be processed', async (t) => {
  for (const processed of [false, true]) {
    const { book, isBooked, get, lastRequest, control } = await withFault(t, {
      match: { path: '/invitees' },
      kind: 'hang',
      processed
    })
    const abort = new AbortController()
    const hanging = book(abort.signal)
    await until(lastRequest, (last) => last?.path === '/invitees')
    if (processed) await until(isBooked, Boolean)
    const other = get('/users/me').then(() => 'answered')
    t.equal(await Promise.race([hanging, other]), 'answered')
    abort.abort()
    await t.rejects(hanging, { name: 'AbortError' })
    await control('/faults')
    t.equal(await isBooked(), processed)
  }
})

t.test('a body may stop half-way and never end', async (t) => {
  const { book, isBooked, get } = await withFault(t, { match: { path: '/invitees' }, kind: 'hang_body' })
  const { statusCode, body } = await book()
  t.equal(statusCode, 201)
  const rest = body.text()
  const other = get('/users/me').then(() => 'answered')
  t.equal(await Promise.race([rest, other]), 'answered')
  body.destroy()
  await t.rejects(rest)
  t.ok(await isBooked())
})

t.test('a slow body comes byte by byte, and whole', async (t) => {
  const { book } = await withFault(t, { kind: 'slow_body', latency_ms: 1 })
  const { headers, body } = await book()
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  t.ok(chunks.length > 100, `${chunks.length} chunks`)
  t.equal(bytes.length, Number(headers['content-length']))
  t.match(JSON.parse(bytes.toString()), { resource: { status: 'active' } })
})

t.test('an altered answer has other headers, and members that Calendly would never send', async (t) => {
  const { get, control, isBooked, book } = await withFault(t, {
    kind: 'alter',
    headers: { 'content-type': 'text/html', 'x-ratelimit-remaining': 'many' },
    times: 1
  })
  const mislabeled = await get('/users/me')
  t.match(mislabeled, {
    status: 200,
    headers: { 'content-type': 'text/html', 'x-ratelimit-remaining': 'many' },
    body: { resource: { uri: standard.users.ada } }
  })
  const next_page = 'https://elsewhere.example/event_types?page_token=x'
  await control('/faults', { kind: 'alter', patch: { pagination: { next_page } }, times: 1 })
  t.match(await get(`/event_types?user=${standard.users.ada}&count=3`), {
    body: { collection: [{ name: '30 Minute Meeting' }, {}, {}], pagination: { count: 3, next_page } }
  })
  await control('/faults', { kind: 'alter', patch: { resource: null } })
  const answer = await book()
  t.equal(answer.statusCode, 201)
  t.strictSame(await answer.body.json(), { resource: null })
  t.ok(await isBooked(), 'the booking was made')
})

t.test('an altered answer may be of any size, and small on its way', async (t) => {
  const { sandbox, control } = await withFault(t, { kind: 'alter', size_bytes: 10_000_000, times: 1 })
  const read = async () => {
    const headers = { ...as(sandbox.token), 'user-agent': 'sandbox-tests' }
    const answer = await request(`${sandbox.url}/users/me`, { headers })
    return { encoding: answer.headers['content-encoding'], bytes: await answer.body.bytes() }
  }
  const big = await read()
  t.equal(big.bytes.length, 10_000_000)
  t.match(JSON.parse(Buffer.from(big.bytes).toString()), { resource: { uri: standard.users.ada } })

  await control('/faults', { kind: 'alter', size_bytes: 50_000_000, gzip: true, times: 1 })
  const bomb = await read()
  t.equal(bomb.encoding, 'gzip')
  t.ok(bomb.bytes.length < 100_000, `${bomb.bytes.length} bytes on the wire`)
  t.equal(gunzipSync(bomb.bytes).length, 50_000_000)

  await control('/faults', { kind: 'alter', gzip: true })
  const { bytes } = await read()
  t.match(JSON.parse(gunzipSync(bytes).toString()), { resource: { uri: standard.users.ada } })
})

t.test('a fault strikes as often as it says, where it says', async (t) => {
  const {
    get,
    delete: remove,
    control
  } = await withFault(t, {
    match: { method: 'get', path: '/event_types/*', token: 'ada' },
    kind: 'status',
    status: 503,
    times: 2
  })
  const path = new URL(standard.eventTypes.thirtyMinutes).pathname
  const ask = async (where = path, token: string = standard.tokens.ada) =>
    (await get(where, as(token))).status
  t.equal(await ask(path, standard.tokens.noah), 200, 'another token')
  t.equal(await ask('/users/me'), 200, 'another path')
  t.strictSame([await ask(), await ask(), await ask()], [503, 503, 200])
  t.match(await control('/faults'), { faults: [{ id: 1, kind: 'status', times: 2, hits: 2 }] })

  await control('/faults', { kind: 'status' })
  t.equal(await ask(), 500)
  t.match(await remove('/__sandbox/faults'), { status: 204 })
  t.equal(await ask(), 200)
})

t.test('a probable fault asks the dice', async (t) => {
  const throws = [0.2, 0.4, 0.29, 0.3]
  const { get, control } = await start(t, { random: () => throws.shift() ?? 1 })
  await control('/faults', { kind: 'status', probability: 0.3 })
  const statuses: number[] = []
  for (let count = 0; count < 4; count++) statuses.push((await get('/users/me')).status)
  t.strictSame(statuses, [500, 200, 500, 200])
})

t.test('a fault that does not exist cannot be installed', async (t) => {
  const { post } = await start(t)
  t.match(await post('/__sandbox/faults', { kind: 'gremlin' }), {
    status: 400,
    body: { details: [{ parameter: 'kind' }] }
  })
  t.match(await post('/__sandbox/faults', { kind: 'hang', time: 1 }), {
    status: 400,
    body: { details: [{ parameter: 'time' }] }
  })
})
