import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { signatureOf, webhookBody } from '../../support/webhook.ts'

let made = 0

/** Signed webhooks of about 3 KB as they go over the wire, no two of them alike. */
export function webhookRequests(count: number, key: string): Buffer[] {
  const payload = {
    questions_and_answers: Array.from({ length: 6 }, (_, position) => ({
      question: `What should we know before we meet? (${position + 1})`,
      answer: 'We would like to talk about our plans for next year, and what they would cost. '.repeat(3),
      position
    }))
  }
  return Array.from({ length: count }, () => {
    const id = `BENCH${process.pid}X${++made}`
    // Nobody's time meets anybody else's.
    const startTime = Date.now() + made * 3_600_000
    const body = webhookBody({ id, startTime, payload })
    return Buffer.from(
      'POST /api/webhooks/calendly HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n' +
        `calendly-webhook-signature: ${signatureOf(key, body)}\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    )
  })
}

type Load = { port: number; requests: readonly Buffer[] }

/** Milliseconds until all are acknowledged, to so many clients that each send the next once they have their answer. */
export async function timeToKeep({ port, requests, atOnce }: Load & { atOnce: number }): Promise<number> {
  const waiting = requests.values()
  const startedAt = performance.now()
  const askAll = async () => {
    const client = openClient(port)
    for (const request of waiting) await client.ask(request)
    client.close()
  }
  await Promise.all(Array.from({ length: atOnce }, askAll))
  return performance.now() - startedAt
}

/**
 * Milliseconds from when each was due to its acknowledgement, ascending: so many a second, however long answers take.
 * The first second does not count: connections are made in it.
 */
export async function acknowledgementTimes({
  port,
  requests,
  perSecond
}: Load & { perSecond: number }): Promise<number[]> {
  const idle: Client[] = []
  const startedAt = performance.now()
  const dueAt = (index: number) => startedAt + (index / perSecond) * 1_000
  const answers: Promise<number>[] = []

  async function askOne(request: Buffer, index: number): Promise<number> {
    const client = idle.pop() ?? openClient(port)
    await client.ask(request)
    idle.push(client)
    return performance.now() - dueAt(index)
  }

  for (const [index, request] of requests.entries()) {
    while (dueAt(index) > performance.now()) await sleep(1)
    answers.push(askOne(request, index))
  }
  const times = (await Promise.all(answers)).slice(Math.ceil(perSecond))
  for (const client of idle) client.close()
  return times.sort((a, b) => a - b)
}

type Client = ReturnType<typeof openClient>

/** One request at a time. Written for the purpose: a client that parses takes longer for an answer than the server. */
function openClient(port: number) {
  let answered = Promise.withResolvers<void>()
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('data', (bytes) => {
    const head = bytes.toString('latin1')
    if (head.startsWith('HTTP/1.1 204') && head.endsWith('\r\n\r\n')) answered.resolve()
    else answered.reject(new Error(head))
  })
  socket.on('error', (error) => answered.reject(error))
  socket.on('close', () => answered.reject(new Error('The server hung up')))
  return {
    ask(request: Buffer): Promise<void> {
      answered = Promise.withResolvers()
      socket.write(request)
      return answered.promise
    },
    close() {
      answered.promise.catch(() => {})
      socket.destroy()
    }
  }
}
