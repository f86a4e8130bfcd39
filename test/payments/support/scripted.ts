import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { openPayments, type PaymentsOptions } from '../../../src/payments/client.ts'
import { fakeSystem } from '../../support/system.ts'

export const testKey = 'rk_test_51AbcDefGhi'

type Asked = { method: string; path: string; headers: IncomingMessage['headers']; body: string }
export type Reply = { status?: number; body: unknown; headers?: Record<string, string> }
type Options = Partial<PaymentsOptions> & { protocol?: 'http' | 'https'; path?: string }

/** A client and the server it speaks to, both gone when the test is over. */
export async function between(
  t: Test,
  server: Server,
  { protocol = 'http', path = '', ...options }: Options = {}
) {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const system = fakeSystem()
  const payments = openPayments({
    baseUrl: `${protocol}://127.0.0.1:${port}${path}`,
    secretKey: testKey,
    version: '1.2.3',
    system,
    log: { debug: () => {}, warn: () => {} },
    ...options
  })
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await payments.close()
  })
  return { payments, system }
}

/** A Stripe that answers each request in turn with the next of the script, and the last for ever. */
export async function answering(
  t: Test,
  script: Reply | readonly Reply[] | ((asked: Asked) => Reply | Promise<Reply>),
  options?: Options
) {
  const asked: Asked[] = []
  async function answer(request: IncomingMessage, response: ServerResponse) {
    const { method = '', url = '', headers } = request
    const now = { method, path: url, headers, body: await text(request) }
    asked.push(now)
    const turns = Array.isArray(script) ? script : [script]
    const turn = turns[Math.min(asked.length, turns.length) - 1]
    const reply: Reply = typeof turn === 'function' ? await turn(now) : turn
    response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers })
    response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body))
  }
  const listener: RequestListener = (request, response) => {
    answer(request, response).catch(() => response.destroy())
  }
  return { ...(await between(t, createServer(listener), options)), asked }
}

/** A server that takes a whole request, answers with just these bytes, and then does as told. */
export async function saying(
  t: Test,
  bytes: string,
  then: (socket: Socket) => void = () => {},
  options?: Options
) {
  const asked: string[] = []
  const server = createTcpServer((socket) => {
    socket.on('data', (data) => {
      asked.push(data.toString())
      if (bytes === '') then(socket)
      else socket.write(bytes, () => then(socket))
    })
  })
  return { ...(await between(t, server, options)), asked }
}

export const charge = (changes: object = {}) => ({
  id: 'ch_1',
  object: 'charge',
  amount: 5_000,
  amount_captured: 5_000,
  amount_refunded: 0,
  currency: 'usd',
  disputed: false,
  livemode: false,
  paid: true,
  payment_intent: 'pi_1',
  status: 'succeeded',
  ...changes
})

export const refund = (changes: object = {}) => ({
  id: 're_1',
  object: 'refund',
  amount: 1_000,
  charge: 'ch_1',
  created: 1_767_225_600,
  currency: 'usd',
  metadata: { refund_id: 'rfd_1', booking_id: 'bkg_1' },
  payment_intent: 'pi_1',
  reason: null,
  status: 'succeeded',
  ...changes
})

export const listOf = (data: readonly object[], hasMore = false) => ({
  object: 'list',
  data,
  has_more: hasMore
})

/** An error as Stripe words it. */
export const problem = (status: number, error: object, headers = {}): Reply => ({
  status,
  body: { error: { type: 'invalid_request_error', message: 'No, because.', ...error } },
  headers
})
