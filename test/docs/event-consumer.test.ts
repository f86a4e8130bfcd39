import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { request } from 'undici'
import { book, cancel } from '../routes/support/client.ts'
import type { Test } from '../support/database.ts'
import { openService, until } from '../support/service.ts'

const program = join(import.meta.dirname, '../../docs/examples/event-consumer.mjs')
const secret = `whsec_${Buffer.from('a secret of 24 bytes or so').toString('base64')}`
const endpoints = '/api/v1/event-endpoints'

type Line = { outcome: string; id: string; type: string; subject: string; sequence: number }

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

/** The program of the documentation, running; what it says, line by line. */
async function startConsumer(t: Test, env: { EVENT_SECRET: string; PORT: string }) {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const lines: Line[] = []
  const output = createInterface({ input: child.stdout })
  await once(output, 'line')
  output.on('line', (line) => lines.push(JSON.parse(line)))
  return lines
}

const shown = ({ outcome, subject, sequence }: Line) => `${outcome} ${subject} ${sequence}`

t.test('it takes events in any order and any number of times, and nobody else at all', async (t) => {
  const port = await freePort()
  const lines = await startConsumer(t, { EVENT_SECRET: secret, PORT: String(port) })
  const send = async (body: string, headers: Record<string, string>) => {
    const answer = await request(`http://127.0.0.1:${port}/`, { method: 'POST', body, headers })
    await answer.body.dump()
    return answer.statusCode
  }
  const headersOf = (id: string, body: string, { by = secret, at = new Date() } = {}) => ({
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(by).sign(id, at, body)
  })
  const post = (subject: string, sequence: number) => {
    const id = `evt_${subject}_${sequence}`
    const body = JSON.stringify({ id, type: 'booking.confirmed', subject, sequence, data: {} })
    return send(body, headersOf(id, body))
  }

  for (const [subject, sequence] of [
    ['one', 1],
    ['one', 1],
    ['one', 3],
    ['two', 2],
    ['one', 2],
    ['one', 3],
    ['two', 1],
    ['one', 4]
  ] as const) {
    t.equal(await post(subject, sequence), 204)
  }
  const told = [
    'new one 1',
    'duplicate one 1',
    'new one 3',
    'new two 2',
    'late one 2',
    'duplicate one 3',
    'late two 1',
    'new one 4'
  ]
  await until(
    async () => lines.length,
    (count) => count >= told.length
  )
  t.same(lines.map(shown), told)

  const forged = JSON.stringify({
    id: 'evt_f',
    type: 'booking.canceled',
    subject: 'one',
    sequence: 9,
    data: {}
  })
  const genuine = headersOf('evt_f', forged)
  const longAgo = new Date(Date.now() - 3_600_000)
  const forgeries: Record<string, [body: string, headers: Record<string, string>]> = {
    'no signature': [forged, {}],
    'another secret': [forged, headersOf('evt_f', forged, { by: `whsec_${'b'.repeat(32)}` })],
    'another body': [forged.replace('9', '8'), genuine],
    'another id': [forged, { ...genuine, 'webhook-id': 'evt_g' }],
    'another time': [forged, { ...genuine, 'webhook-timestamp': '1900000000' }],
    'an old one': [forged, headersOf('evt_f', forged, { at: longAgo })]
  }
  for (const [name, [body, headers]] of Object.entries(forgeries))
    t.equal(await send(body, headers), 401, name)
  t.equal(await post('one', 5), 204)
  await until(
    async () => lines.length,
    (count) => count > told.length
  )
  t.same(lines.slice(told.length).map(shown), ['new one 5'])
})

t.test('a secret that is none is one line, and the end', async (t) => {
  for (const wrong of ['', 'whsec_', 'whsec_§§§§', 'the secret']) {
    const child = spawn(process.execPath, [program], {
      env: { PATH: process.env.PATH, EVENT_SECRET: wrong, PORT: '0' },
      stdio: ['ignore', 'ignore', 'pipe']
    })
    const said: string[] = []
    createInterface({ input: child.stderr }).on('line', (line) => said.push(line))
    const [code] = await once(child, 'close')
    t.equal(code, 1, wrong)
    t.match(said, [/^EVENT_SECRET must be/], wrong)
    t.equal(said.length, 1, wrong)
  }
})

t.test('it follows a booking of the service, and hears what happened again when asked for', async (t) => {
  const service = await openService(t)
  const { call } = service
  const port = await freePort()
  const created = await call('POST', endpoints, {
    body: { url: `http://127.0.0.1:${port}/`, types: ['booking.confirmed', 'booking.canceled'] }
  })
  const lines = await startConsumer(t, { EVENT_SECRET: created.body.secret, PORT: String(port) })
  const untilLines = (count: number) =>
    until(
      async () => lines.length,
      (found) => found >= count
    )
  t.match((await call('POST', `${endpoints}/${created.body.id}/test`)).body, { delivered: true })

  const booking = (await book(service)).body
  await untilLines(2)
  await cancel(service, booking.id)
  await untilLines(3)
  await call('POST', `${endpoints}/${created.body.id}/replay`, { body: { from: '2020-01-01T00:00:00Z' } })
  await untilLines(5)
  t.same(
    lines.map(({ outcome, type, subject, sequence }) => `${outcome} ${type} ${subject} ${sequence}`),
    [
      `test event_endpoint.test ${created.body.id} 0`,
      `new booking.confirmed ${booking.id} 1`,
      `new booking.canceled ${booking.id} 2`,
      `duplicate booking.confirmed ${booking.id} 1`,
      `duplicate booking.canceled ${booking.id} 2`
    ]
  )
})
