import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { realSystem } from '../../src/core/system.ts'
import { openSender } from '../../src/delivery/send.ts'
import { anywhere, createTargets } from '../../src/delivery/target.ts'
import { openConsumer } from '../support/consumer.ts'
import type { Test } from '../support/database.ts'

const secrets = ['first', 'second'].map((word) => `whsec_${Buffer.from(word.repeat(6)).toString('base64')}`)
const event = { id: 'evt_1', body: Buffer.from('{"id":"evt_1","name":"Zoë"}') }

function openTestSender(t: Test, { totalMs = 5_000, lookup = async (): Promise<string[]> => [] } = {}) {
  const sender = openSender({
    system: realSystem,
    userAgent: 'calendly-gateway/test',
    targets: createTargets({ policy: anywhere, lookup }),
    totalMs
  })
  t.teardown(sender.close)
  return sender
}

/** Speaks whatever it likes to whoever connects. */
async function openSpeaker(t: Test, speak: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => speak(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`
}

t.test('an event arrives as Standard Webhooks wants it, signed with every live secret', async (t) => {
  const { send } = openTestSender(t)
  const consumer = await openConsumer(t)
  const attempt = await send({ url: `${consumer.url}?a=1` }, secrets, event)
  t.match(attempt, { kind: 'delivered', status: 204, durationMs: Number })
  const [post] = consumer.posts
  t.match(post, {
    path: '/hook?a=1',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'calendly-gateway/test',
      'webhook-id': 'evt_1',
      'webhook-timestamp': /^\d{10}$/
    }
  })
  t.ok(post?.body.equals(event.body))
  for (const secret of secrets) {
    const headers = post?.headers as Record<string, string>
    t.same(new Webhook(secret).verify(post?.body ?? '', headers), { id: 'evt_1', name: 'Zoë' })
  }
  const stranger = new Webhook(`whsec_${Buffer.from('somebody else').toString('base64')}`)
  t.throws(() => stranger.verify(post?.body ?? '', post?.headers as Record<string, string>))
})

t.test('every attempt has a connection of its own', async (t) => {
  const { send } = openTestSender(t)
  const consumer = await openConsumer(t)
  for (let i = 0; i < 3; i++) await send(consumer, secrets, event)
  t.equal(consumer.connections(), 3)
  t.equal(consumer.posts[0]?.headers.connection, 'close')
})

t.test('what is not 2xx has failed, with its status', async (t) => {
  const { send } = openTestSender(t)
  const consumer = await openConsumer(t)
  for (const status of [400, 401, 410, 429, 500, 503]) {
    consumer.respond((response) => void response.writeHead(status).end('secret details'))
    t.match(await send(consumer, secrets, event), { kind: 'failed', status, error: `answered ${status}` })
  }
})

t.test('a redirect is not followed', async (t) => {
  const { send } = openTestSender(t)
  const elsewhere = await openConsumer(t)
  for (const status of [301, 302, 303, 307, 308]) {
    const consumer = await openConsumer(
      t,
      (response) => void response.writeHead(status, { location: elsewhere.url }).end()
    )
    t.match(await send(consumer, secrets, event), { kind: 'failed', status, error: /not followed/ })
  }
  t.equal(elsewhere.posts.length, 0)
})

t.test('Retry-After is read as seconds and as a date', async (t) => {
  const { send } = openTestSender(t)
  const consumer = await openConsumer(t)
  const wait = async (value: string) => {
    consumer.respond((response) => void response.writeHead(429, { 'retry-after': value }).end())
    return (await send(consumer, secrets, event)).retryAfterMs
  }
  t.equal(await wait('120'), 120_000)
  const soon = (await wait(new Date(Date.now() + 90_000).toUTCString())) ?? 0
  t.ok(soon > 80_000 && soon <= 90_000)
  t.equal(await wait('Wed, 21 Oct 2015 07:28:00 GMT'), 0)
  for (const nonsense of ['-5', '1e9', 'soon', '99999999999', '2026-01-01'])
    t.equal(await wait(nonsense), undefined)
})

t.test('a huge or endless answer holds neither memory nor time', async (t) => {
  const { send } = openTestSender(t, { totalMs: 20_000 })
  let written = 0
  const url = await openSpeaker(t, (socket) => {
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const pour = () => {
      while (!socket.destroyed && socket.write(chunk)) written += chunk.length
    }
    socket.on('drain', pour)
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${10 ** 12}\r\n\r\n`)
    pour()
  })
  t.match(await send({ url }, secrets, event), { kind: 'delivered', status: 200 })
  t.ok(written < 50 * 1024 * 1024)

  const silent = await openSpeaker(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
  })
  const attempt = await send({ url: silent }, secrets, event)
  t.match(attempt, { kind: 'delivered', status: 200 }, 'the status counts')
  t.ok(attempt.durationMs < 10_000)
})

t.test('who never answers is given up on in time, at any point', async (t) => {
  const { send } = openTestSender(t, { totalMs: 200 })
  const speakers = {
    'no byte': () => {},
    'half a header': (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-'),
    'only 103': (socket: Socket) => void socket.write('HTTP/1.1 103 Early Hints\r\n\r\n')
  }
  for (const [name, speak] of Object.entries(speakers)) {
    const url = await openSpeaker(t, speak)
    t.match(
      await send({ url }, secrets, event),
      { kind: 'failed', status: undefined, error: /in time/ },
      name
    )
  }
  const lookup = () => new Promise<string[]>(() => {})
  const waiting = openTestSender(t, { totalMs: 200, lookup })
  t.match(await waiting.send({ url: 'http://slow.example/' }, secrets, event), { error: /in time/ }, 'a name')
})

t.test('a broken answer or none is a short phrase without addresses', async (t) => {
  const { send } = openTestSender(t)
  const refused = await openConsumer(t)
  const cases: Record<string, [url: string, error: RegExp]> = {
    'a closed port': ['http://127.0.0.1:1/', /^connection refused$/],
    'a reset': [await openSpeaker(t, (socket) => void socket.resetAndDestroy()), /^connection lost/],
    'a hang-up': [await openSpeaker(t, (socket) => void socket.end()), /^connection lost/],
    'not HTTP': [await openSpeaker(t, (socket) => void socket.end('220 mail ready\r\n\r\n')), /not readable/],
    'endless headers': [
      await openSpeaker(t, (socket) => void socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}`)),
      /not readable/
    ],
    'no TLS': [refused.url.replace('http:', 'https:'), /^TLS failed/],
    'no such name': ['http://nowhere.example/', /^name not found$/],
    'not a URL any more': ['gopher://127.0.0.1/', /^URL must begin with/]
  }
  for (const [name, [url, error]] of Object.entries(cases)) {
    const attempt = await send({ url }, secrets, event)
    t.match(attempt, { kind: 'failed', status: undefined, error, durationMs: Number }, name)
    t.notMatch(attempt.error, /127\.0|::1|localhost/, name)
  }
})

t.test('what is under way when the service stops is given up', async (t) => {
  const sender = openTestSender(t, { totalMs: 60_000 })
  const url = await openSpeaker(t, () => sender.close())
  t.match(await sender.send({ url }, secrets, event), { kind: 'failed' })
})
