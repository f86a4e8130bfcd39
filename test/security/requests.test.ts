import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { problems } from '../../src/core/errors.ts'
import { sendRaw } from '../support/raw.ts'
import { type Answer, adminKey, openService } from '../support/service.ts'

const { call, address } = await openService(t, { sandbox: null })

const booking = {
  event_type: 'ABCDEFGH',
  start_time: new Date(Date.now() + 86_400_000).toISOString(),
  invitee: { name: 'Ada', email: 'ada@example.com', timezone: 'UTC' }
}
const text = JSON.stringify(booking)
const inside = (members: string) => `${text.slice(0, -1)},${members}}`
const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
  call('POST', '/api/v1/bookings', { idempotencyKey: 'one', body, headers })

/** Refused as a client's mistake, in the one form a mistake is told. */
function isRefusal(t: Test, { status, headers, body }: Answer, name: string): void {
  t.ok(status >= 400 && status < 500, `${name}: ${status}`)
  t.match(headers['content-type'], /^application\/problem\+json/, name)
  t.ok(Object.hasOwn(problems, body?.code), `${name}: ${body?.code}`)
  t.equal(body?.status, status, name)
}

const depth = 100_000
const bodies: Record<string, string | Buffer> = {
  'brackets that never close': '['.repeat(depth),
  'brackets 100,000 deep': '['.repeat(depth) + ']'.repeat(depth),
  'objects 40,000 deep': `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`,
  'a deep list inside a member': inside(`"metadata":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`),
  'a deep object inside a member': inside(`"metadata":${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}`),
  'a prototype': inside('"__proto__":{"isAdmin":true}'),
  'a prototype, escaped': inside('"\\u005f\\u005fproto\\u005f\\u005f":{"isAdmin":true}'),
  'a prototype in metadata': inside('"metadata":{"__proto__":"x"}'),
  'a constructor': inside('"constructor":{"prototype":{"isAdmin":true}}'),
  'a constructor in metadata': inside('"metadata":{"constructor":{"prototype":"x"}}'),
  'a member twice, the second wrong': inside('"start_time":"tomorrow"'),
  'an infinite number': inside('"questions_and_answers":[{"question":"a","answer":"b","position":1e999}]'),
  'a number of 1,000 digits': inside(
    `"questions_and_answers":[{"question":"a","answer":"b","position":${'9'.repeat(1_000)}}]`
  ),
  'a fraction for a position': inside(
    '"questions_and_answers":[{"question":"a","answer":"b","position":0.5}]'
  ),
  '51 questions': inside(
    `"questions_and_answers":${JSON.stringify(Array(51).fill({ question: 'a', answer: 'b' }))}`
  ),
  '51 metadata keys': inside(
    `"metadata":${JSON.stringify(Object.fromEntries(Array.from({ length: 51 }, (_, i) => [i, 'x'])))}`
  ),
  'an overlong name': text.replace('"Ada"', `"${'A'.repeat(256)}"`),
  'an e-mail with a line break': text.replace('ada@example.com', 'ada@example.com\\r\\nBcc: eve@example.com'),
  'an overlong e-mail': text.replace('ada@', `${'a'.repeat(300)}@`),
  'no value': '',
  'a bare string': '"text"',
  'nothing but null': 'null',
  'a list': '[]',
  'a raw NUL': `${text}\0`,
  'a comment': `${text}// hello`,
  'a trailing comma': `${text.slice(0, -1)},}`,
  'bytes that are no UTF-8': Buffer.from(text.replace('Ada', '\xff\xfe'), 'latin1'),
  'half a character': Buffer.from(text.replace('Ada', '\xf0\x9f\x98'), 'latin1'),
  'UTF-16': Buffer.from(text, 'utf16le')
}

t.test('a body that is not one of ours is refused', async (t) => {
  for (const [name, body] of Object.entries(bodies)) isRefusal(t, await post(body), name)
})

t.test('a body beyond the limit is refused, with and without its length announced', async (t) => {
  const large = Buffer.alloc(1024 * 1024, 'x')
  const answer = await post(large)
  isRefusal(t, answer, '1 MB')
  t.equal(answer.body.code, 'body_too_large')
  const chunked = await sendRaw(
    address,
    Buffer.concat([
      Buffer.from(
        `POST /api/v1/bookings HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${adminKey}\r\n` +
          'content-type: application/json\r\nidempotency-key: two\r\ntransfer-encoding: chunked\r\n\r\n' +
          `${large.length.toString(16)}\r\n`
      ),
      large,
      Buffer.from('\r\n0\r\n\r\n')
    ])
  )
  t.match(chunked, /^HTTP\/1.1 413 [\s\S]*body_too_large/)
})

t.test('a content type that is not JSON is refused', async (t) => {
  for (const type of ['text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'x', 'a/b; c=;;']) {
    const answer = await post(text, { 'content-type': type })
    isRefusal(t, answer, type)
    t.equal(answer.body.code, 'unsupported_media_type', type)
  }
  isRefusal(t, await post(gzipSync(text), { 'content-encoding': 'gzip' }), 'a coding we do not read')
})

t.test('an address that is garbage is refused', async (t) => {
  const garbage = [
    '%00',
    '%ff',
    '%',
    '%zz',
    '%c0%af',
    '%2e%2e',
    '..%2f..%2fetc%2fpasswd',
    '%0d%0aset-cookie:a'
  ]
  for (const id of [...garbage, 'x'.repeat(400), 'x'.repeat(5_000), `${'%41'.repeat(1_000)}`]) {
    const name = id.slice(0, 30)
    for (const path of [`/api/v1/bookings/${id}`, `/api/v1/bookings/${id}/timeline`, `/api/v1/${id}`]) {
      isRefusal(t, await call('GET', path), `GET ${path.slice(0, 40)}`)
    }
    isRefusal(t, await call('GET', `/api/v1/event-types/${id}`), `event type ${name}`)
    isRefusal(t, await call('DELETE', `/api/v1/caller-keys/${id}`), `caller key ${name}`)
    const cancel = { idempotencyKey: 'three', body: { canceler_type: 'host' } }
    isRefusal(t, await call('POST', `/api/v1/bookings/${id}/cancel`, cancel), `cancel ${name}`)
  }
})

t.test('a query that is garbage is refused', async (t) => {
  const queries = [
    ...['event_type', 'host', 'invitee_email', 'cursor', 'status', 'start_time_from', 'limit'].map(
      (name) => `${name}=%00`
    ),
    ...['-1', '0', '201', '1e2', '0x10', '99999', '1.5', '%20', 'NaN'].map((limit) => `limit=${limit}`),
    'limit=1&limit=2',
    'limit[]=1',
    '__proto__=x',
    'constructor=x',
    'unknown=x',
    'start_time_from=2026-02-30T00:00:00Z',
    'start_time_from=%2B275761-01-01T00:00:00Z',
    `cursor=${'A'.repeat(501)}`,
    `cursor=${Buffer.from('bkg_').toString('base64url')}`,
    `event_type=${'x'.repeat(501)}`,
    `invitee_email=${'x'.repeat(10_000)}`,
    Array.from({ length: 1_200 }, (_, i) => `a${i}=`).join('&')
  ]
  for (const query of queries) {
    isRefusal(t, await call('GET', `/api/v1/bookings?${query}`), query.slice(0, 50))
  }
  isRefusal(t, await call('GET', `/api/v1/timezones?at=${'9'.repeat(400)}`), 'a moment of 400 digits')
  const range = 'event_type=a&start_time=2026-12-01T00:00:00Z&end_time=2026-12-02T00:00:00Z'
  for (const zone of [
    '%00',
    '../../etc/passwd',
    'Europe/Berlin%00',
    `${'x'.repeat(65)}`,
    '__proto__',
    '+01:00'
  ]) {
    isRefusal(t, await call('GET', `/api/v1/availability?${range}&timezone=${zone}`), `zone ${zone}`)
  }
  for (const locale of ['%00', 'x', `de-${'x'.repeat(30)}`, 'de_DE']) {
    const query = `${range}&timezone=UTC&locale=${locale}`
    isRefusal(t, await call('GET', `/api/v1/availability?${query}`), `locale ${locale}`)
  }
})

t.test('an Idempotency-Key outside visible ASCII is refused', async (t) => {
  for (const key of [
    '',
    ' ',
    '""',
    'a b',
    'é',
    'a\tb',
    'x'.repeat(256),
    'x'.repeat(300),
    `"${'x'.repeat(256)}"`
  ]) {
    const answer = await call('POST', '/api/v1/bookings', { idempotencyKey: key, body: booking })
    isRefusal(t, answer, key.slice(0, 20))
    t.match(answer.body.code, /idempotency_key/)
  }
  const twice = await sendRaw(
    address,
    `POST /api/v1/bookings HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer ${adminKey}\r\n` +
      'idempotency-key: a\r\nidempotency-key: b\r\ncontent-type: application/json\r\n' +
      `content-length: ${text.length}\r\n\r\n${text}`
  )
  t.match(twice, /^HTTP\/1.1 400 [\s\S]*invalid_idempotency_key/)
})

t.test('a request id from outside is taken only if it is harmless in a log', async (t) => {
  const ask = async (id: string) =>
    (await call('GET', '/api/health/live', { headers: { 'x-request-id': id } })).headers['x-request-id']
  t.equal(await ask('order-4711.a_B'), 'order-4711.a_B')
  for (const id of ['', 'a b', '<script>', '{"a":1}', 'x'.repeat(129), 'é', '../..']) {
    t.match(await ask(id), /^[\w-]{36}$/, id)
  }
})

t.test('a method an address does not know is refused with those it knows', async (t) => {
  for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE']) {
    const answer = await call(method, '/api/v1/bookings')
    isRefusal(t, answer, method)
    t.equal(answer.body.code, 'method_not_allowed', method)
    t.match(answer.headers.allow, /GET.*POST|POST.*GET/, method)
  }
})

const head = `POST /api/v1/bookings HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${adminKey}\r\ncontent-type: application/json\r\nidempotency-key: raw\r\n`
const smuggled = 'GET /api/v1/bookings HTTP/1.1\r\nhost: smuggled\r\n\r\n'
const malformed: Record<string, string> = {
  'a length and chunks': `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  'chunks and a length': `${head}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n${smuggled}`,
  'two lengths': `${head}content-length: 2\r\ncontent-length: 3\r\n\r\n{}${smuggled}`,
  'a list of lengths': `${head}content-length: 2, 3\r\n\r\n{}${smuggled}`,
  'a negative length': `${head}content-length: -1\r\n\r\n{}${smuggled}`,
  'a length with a sign': `${head}content-length: +2\r\n\r\n{}${smuggled}`,
  'a length beyond all numbers': `${head}content-length: 99999999999999999999999\r\n\r\n{}`,
  'an unknown coding': `${head}transfer-encoding: xchunked\r\n\r\n${smuggled}`,
  'chunked, but not last': `${head}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
  'a space before the colon': `${head}transfer-encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  'a chunk without a size': `${head}transfer-encoding: chunked\r\n\r\nxyz\r\n\r\n${smuggled}`,
  'a chunk beyond all numbers': `${head}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}`,
  'a header without a name': `${head}: value\r\n\r\n`,
  'a header name with a line feed': `${head}a\nb: c\r\n\r\n`,
  'a header with a NUL': `${head}x: a\0b\r\n\r\n`,
  'a lone carriage return': `${head}x: a\rb: c\r\n\r\n`,
  'headers without end': `${head}${Array.from({ length: 3_000 }, (_, i) => `x${i}: y\r\n`).join('')}\r\n`,
  'one endless header': `${head}x: ${'y'.repeat(100_000)}\r\n\r\n`,
  'an endless address': `GET /${'y'.repeat(100_000)} HTTP/1.1\r\nhost: a\r\n\r\n`,
  'an unknown method': 'BREW /api/v1/bookings HTTP/1.1\r\nhost: a\r\n\r\n',
  'a lower-case method': 'get /api/v1/bookings HTTP/1.1\r\nhost: a\r\n\r\n',
  'an unknown version': 'GET /api/v1/bookings HTTP/9.9\r\nhost: a\r\n\r\n',
  'HTTP/2 without asking': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'TLS to a plain port': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  nonsense: 'hello\r\n\r\n'
}

t.test('what is no clean HTTP is refused, and nothing behind it is taken for a request', async (t) => {
  for (const [name, bytes] of Object.entries(malformed)) {
    const answer = await sendRaw(address, bytes)
    t.match(answer, /^HTTP\/1\.1 4\d\d /, name)
    t.match(answer, /application\/problem\+json/i, name)
    t.equal(answer.match(/^HTTP\/1\.1 /gm)?.length, 1, `${name}: one answer`)
  }
})

t.test('after all that the service answers as before', async (t) => {
  t.equal((await call('GET', '/api/health/ready')).status, 200)
  t.same((await call('GET', '/api/v1/bookings')).body.data, [])
  t.equal(({} as { isAdmin?: boolean }).isAdmin, undefined)
})
