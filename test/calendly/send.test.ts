import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { openSender } from '../../src/calendly/send.ts'
import { createTimeouts } from '../../src/calendly/timeouts.ts'

const get = { method: 'GET', path: '/users/me' } as const
const post = { method: 'POST', path: '/invitees', body: { a: 1 } } as const
const patience = { headersMs: 10_000, bodyMs: 10_000, totalMs: 20_000 }
const limits = (changes: Partial<typeof patience> = {}) => ({ ...patience, ...changes })

/** A sender and the server it speaks to, both gone when the test is over. */
async function between(t: Test, server: Server) {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const sender = openSender({
    baseUrl: `http://127.0.0.1:${port}/v2`,
    userAgent: 'calendly-gateway/test',
    startTimeout: createTimeouts()
  })
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await sender.close()
  })
  return sender
}
const answering = (t: Test, listener: RequestListener) => between(t, createServer(listener))
/** A server that says just these bytes, whatever it is asked, and then does as told. */
const saying = (t: Test, bytes: string, then: (socket: Socket) => void = () => {}) =>
  between(
    t,
    createTcpServer((socket) => {
      socket.once('data', () => socket.write(bytes, () => then(socket)))
    })
  )

t.test('a request carries token, agent, prefix and encoded query, and its answer is whole', async (t) => {
  const { send } = await answering(t, (request, response) => {
    response.setHeader('x-request-id', 'r-1')
    response.end(JSON.stringify({ url: request.url, headers: request.headers }))
  })
  const query = { event_type: 'https://api.calendly.com/event_types/A', absent: undefined }
  t.match(await send({ ...get, query }, 'a-token', limits()), {
    status: 200,
    requestId: 'r-1',
    body: {
      url: '/v2/users/me?event_type=https%3A%2F%2Fapi.calendly.com%2Fevent_types%2FA',
      headers: {
        authorization: 'Bearer a-token',
        'user-agent': 'calendly-gateway/test',
        accept: 'application/json'
      }
    }
  })
})

t.test('a body is sent as JSON, and connections are kept for the next request', async (t) => {
  const ports = new Set<number | undefined>()
  const { send } = await answering(t, async (request, response) => {
    ports.add(request.socket.remotePort)
    const chunks = await request.toArray()
    response.end(
      JSON.stringify({ type: request.headers['content-type'], sent: Buffer.concat(chunks).toString() })
    )
  })
  for (let i = 0; i < 10; i++) {
    const { body } = await send(post, 'a-token', limits())
    t.same(body, { type: 'application/json', sent: '{"a":1}' })
  }
  t.ok(ports.size <= 2, 'a request right after an answer may find that connection still busy')
})

t.test('what the headers say of the quota is handed out with every answer', async (t) => {
  const answers = [
    [200, { 'x-ratelimit-reset': '42' }, undefined],
    [429, { 'x-ratelimit-reset': '42' }, 42_000],
    [429, { 'x-ratelimit-reset': '42', 'retry-after': '7' }, 7_000],
    [503, { 'x-ratelimit-reset': '42', 'retry-after': '7' }, 7_000]
  ] as const
  for (const [status, headers, retryAfterMs] of answers) {
    const { send } = await answering(t, (_request, response) => {
      response.writeHead(status, { ...headers, 'x-ratelimit-limit': '500', 'x-ratelimit-remaining': '0' })
      response.end('{}')
    })
    const seen = { limit: 500, remaining: 0, resetMs: 42_000 }
    t.match(await send(get, 'a-token', limits()), { status, seen, retryAfterMs })
  }
})

t.test('headers that make no sense say nothing', async (t) => {
  const { send } = await answering(t, (_request, response) => {
    response.writeHead(429, {
      'x-ratelimit-limit': '500',
      'x-ratelimit-remaining': '-1',
      'x-ratelimit-reset': 'soon'
    })
    response.end()
  })
  const { seen, retryAfterMs } = await send(get, 'a-token', limits())
  t.same([seen, retryAfterMs], [undefined, undefined])
})

t.test('a compressed answer was not asked for, is never inflated and cannot be read', async (t) => {
  const bomb = gzipSync(`"${'a'.repeat(50_000_000)}"`)
  const { send } = await answering(t, (request, response) => {
    t.equal(request.headers['accept-encoding'], undefined)
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/json' })
    response.end(bomb)
  })
  const before = process.memoryUsage().arrayBuffers
  await t.rejects(send(get, 'a-token', limits()), {
    name: 'ExchangeError',
    reason: 'unreadable',
    wasSent: true
  })
  t.ok(process.memoryUsage().arrayBuffers - before < 10_000_000)
})

t.test('a redirect is an answer, not a direction', async (t) => {
  let requests = 0
  const { send } = await answering(t, (_request, response) => {
    requests++
    response.writeHead(302, { location: '/elsewhere' }).end()
  })
  t.match(await send(get, 'a-token', limits()), { status: 302, body: undefined })
  t.equal(requests, 1)
})

t.test('a refused connection and an unknown host are known not to have reached anybody', async (t) => {
  const server = createTcpServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  for (const baseUrl of [`http://127.0.0.1:${port}`, 'http://no-such-host.invalid']) {
    const { send, close } = openSender({
      baseUrl,
      userAgent: 'calendly-gateway/test',
      startTimeout: createTimeouts()
    })
    await t.rejects(send(post, 'a-token', limits()), { name: 'ExchangeError', wasSent: false }, baseUrl)
    await close()
  }
})

t.test('a server that does not speak TLS was not reached either', async (t) => {
  const plain = createTcpServer((socket) =>
    socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n')
  )
  await new Promise<void>((listening) => plain.listen(0, '127.0.0.1', listening))
  const { port } = plain.address() as AddressInfo
  const { send, close } = openSender({
    startTimeout: createTimeouts(),
    baseUrl: `https://127.0.0.1:${port}`,
    userAgent: 'calendly-gateway/test'
  })
  await t.rejects(send(post, 'a-token', limits()), { name: 'ExchangeError', wasSent: false })
  await close()
  plain.close()
})

t.test('after a byte was sent, a lost answer may mean anything', async (t) => {
  const partial = 'HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{"resource":'
  const losses = {
    'a reset before the answer': await saying(t, '', (socket) => socket.resetAndDestroy()),
    'a close before the answer': await saying(t, '', (socket) => socket.end()),
    'a reset in the body': await saying(t, partial, (socket) => socket.resetAndDestroy()),
    'a body cut short': await saying(t, partial, (socket) => socket.end()),
    'an answer that is not HTTP': await saying(t, 'SSH-2.0-OpenSSH\r\n'),
    'a success that is not JSON': await saying(t, 'HTTP/1.1 201 Created\r\ncontent-length: 4\r\n\r\n{"a"')
  }
  for (const [name, { send }] of Object.entries(losses)) {
    const reason = name.includes('is not') ? 'unreadable' : 'network'
    await t.rejects(send(post, 'a-token', limits()), { name: 'ExchangeError', wasSent: true, reason }, name)
  }
})

t.test('a kept connection that dies under a request loses the answer, not the certainty', async (t) => {
  let requests = 0
  const { send } = await answering(t, (request, response) => {
    if (++requests === 1) response.end('{}')
    else request.socket.resetAndDestroy()
  })
  await send(get, 'a-token', limits())
  await t.rejects(send(post, 'a-token', limits()), { name: 'ExchangeError', wasSent: true })
  t.equal(requests, 2, 'it was not sent again behind our back')
})

t.test('silence ends at the deadline for headers', async (t) => {
  const { send } = await answering(t, () => {})
  await t.rejects(send(post, 'a-token', limits({ headersMs: 20 })), {
    name: 'ExchangeError',
    wasSent: true,
    reason: 'timeout',
    cause: { name: 'TimeoutError' }
  })
})

t.test('a body that stops, or drips for ever, ends at the deadline for bodies', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n'
  const stopping = await saying(t, `${head}{`)
  const dripping = await saying(t, head, (socket) => {
    const drip = () => socket.writable && socket.write(' ', () => setImmediate(drip))
    drip()
  })
  for (const { send } of [stopping, dripping]) {
    await t.rejects(send(get, 'a-token', limits({ bodyMs: 20 })), {
      wasSent: true,
      cause: { name: 'TimeoutError' }
    })
  }
})

t.test('the deadline for the whole ends it in any phase', async (t) => {
  const { send } = await answering(t, () => {})
  await t.rejects(send(get, 'a-token', limits({ totalMs: 20 })), {
    name: 'ExchangeError',
    wasSent: true
  })
})

t.test(
  'a request that gives up while it waits for a connection is never sent, and holds up no write',
  async (t) => {
    const waiting = new Set<() => void>()
    const paths: (string | undefined)[] = []
    const { send } = await answering(t, (request, response) => {
      paths.push(request.url)
      waiting.add(() => response.end('{}'))
    })
    const filling = Array.from({ length: 64 }, () => send(get, 'a-token', limits()))
    while (waiting.size < 64) await new Promise((turn) => setImmediate(turn))
    await t.rejects(send({ ...get, path: '/late' }, 'a-token', limits({ totalMs: 20 })), {
      name: 'ExchangeError',
      reason: 'unsent',
      wasSent: false
    })
    const writing = send(post, 'a-token', limits())
    while (waiting.size < 65) await new Promise((turn) => setImmediate(turn))
    for (const answer of waiting) answer()
    await Promise.all([...filling, writing])
    const after = send({ ...get, path: '/after' }, 'a-token', limits())
    while (waiting.size < 66) await new Promise((turn) => setImmediate(turn))
    for (const answer of waiting) answer()
    await after
    t.notOk(paths.includes('/v2/late'))
    t.ok(paths.includes('/v2/invitees'), 'a write does not wait behind reads')
  }
)

t.test('an answer larger than 5 MB is not taken in', async (t) => {
  let wasCut = false
  const { send } = await answering(t, (request, response) => {
    request.socket.on('close', () => {
      wasCut = true
    })
    const more = () => response.write(Buffer.alloc(65_536, ' '), () => !wasCut && more())
    more()
  })
  await t.rejects(send(get, 'a-token', limits()), {
    message: 'The answer is larger than 5 MB',
    wasSent: true
  })
  while (!wasCut) await new Promise((turn) => setImmediate(turn))
  t.ok(wasCut)
})
