import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { alter } from './alter.ts'
import { type Fault, lateKinds } from './faults.ts'

/** How the service that is stood in for words what faults say in its name. */
export type Voice = {
  problem: (status: number) => object
  tooMany: (fault: Fault) => { headers: Record<string, string | number>; body: object }
}

/** What the fault does before the request runs. A reply in return means that it will not run. */
export async function strikeBefore(fault: Fault, request: FastifyRequest, reply: FastifyReply, voice: Voice) {
  if (isLate(fault)) return
  switch (fault.kind) {
    case 'latency':
      await delay(fault.latency_ms, undefined, { ref: false })
      return
    case 'status':
      return reply.code(fault.status).type(typeOf(fault)).headers(fault.headers).send(textOf(fault, voice))
    case 'rate_limit': {
      const { headers, body } = voice.tooMany(fault)
      return reply.code(429).headers(headers).send(body)
    }
    case 'drop_before':
      request.raw.socket.destroy()
      return reply.hijack()
    case 'reset_before':
      request.raw.socket.resetAndDestroy()
      return reply.hijack()
    default:
      return reply.hijack()
  }
}

/** What the fault does to the answer of a request that has run: the payload to send in its place. */
export async function strikeAfter(fault: Fault, reply: FastifyReply, sent: unknown, voice: Voice) {
  if (!isLate(fault)) return sent
  const payload = String(sent ?? '')
  const { socket } = reply.request.raw
  switch (fault.kind) {
    case 'status':
      reply.code(fault.status).type(typeOf(fault)).headers(fault.headers)
      return textOf(fault, voice)
    case 'drop_after':
      socket.destroy()
      return payload
    case 'reset_after':
      socket.resetAndDestroy()
      return payload
    case 'hang':
      await once(socket, 'close')
      return payload
    case 'malformed':
      return payload.slice(0, payload.length / 2)
    case 'alter':
      return alter(fault, reply, payload)
    default:
      reply.header('content-length', Buffer.byteLength(payload))
      return Readable.from(piecesOf(fault, payload, socket), { objectMode: false })
  }
}

const isLate = ({ kind, processed }: Fault) =>
  lateKinds.some((late) => late === kind) || (processed && (kind === 'status' || kind === 'hang'))

const typeOf = ({ body }: Fault) =>
  typeof body === 'string' ? 'text/html' : 'application/json; charset=utf-8'

function textOf({ status, body }: Fault, { problem }: Voice): string {
  if (typeof body === 'string') return body
  if (body !== undefined) return JSON.stringify(body)
  return JSON.stringify(problem(status))
}

async function* piecesOf({ kind, latency_ms }: Fault, payload: string, socket: Socket) {
  const bytes = Buffer.from(payload)
  if (kind === 'slow_body') {
    for (const byte of bytes) {
      await delay(latency_ms, undefined, { ref: false })
      yield Buffer.of(byte)
    }
    return
  }
  yield bytes.subarray(0, bytes.length / 2)
  if (kind === 'hang_body') return void (await once(socket, 'close'))
  // The stream reads ahead: give the half a turn to reach the socket before this side closes it.
  await immediate()
  socket.destroySoon()
}
