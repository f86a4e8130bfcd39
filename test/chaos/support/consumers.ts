import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { newsTypes } from '../../../src/core/news-types.ts'
import type { Service } from './service.ts'
import type { Stage } from './stage.ts'

/** What a consumer took: the bytes of an event, and each time it came. `at` is epoch milliseconds. */
export type Taken = { body: string; at: number[] }

type Options = {
  /** Whether it takes this one; else it has seen to the answer. */
  takes?: (response: ServerResponse) => boolean
}

export type Consumer = Awaited<ReturnType<typeof openConsumer>>

/** Another service that is told of events. */
export async function openConsumer(stage: Stage, { takes = () => true }: Options = {}) {
  const taken = new Map<string, Taken>()
  const changed: string[] = []
  let waiting = 0
  let mostWaiting = 0
  const server = createServer(async (request, response) => {
    mostWaiting = Math.max(mostWaiting, ++waiting)
    response.on('close', () => waiting--)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    if (!takes(response)) return
    const id = String(request.headers['webhook-id'])
    const body = Buffer.concat(chunks).toString()
    const known = taken.get(id) ?? { body, at: [] }
    known.at.push(Date.now())
    taken.set(id, known)
    if (known.body !== body) changed.push(id)
    response.writeHead(204).end()
  })
  server.on('clientError', (_error, socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stage.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    taken,
    /** Events of which it has seen different bytes. */
    changed,
    /** How many it had at once. */
    mostAtOnce: () => mostWaiting
  }
}

/** It takes no more than some, and says so in several ways. */
export function failingAtTimes(stage: Pick<Stage, 'random'>, share: number): Options {
  const refusals: ((response: ServerResponse) => void)[] = [
    (response) => void response.writeHead(500).end(),
    (response) => void response.writeHead(503, { 'retry-after': '0' }).end('busy'),
    (response) => void response.socket?.destroy()
  ]
  return {
    takes(response) {
      if (stage.random() >= share) return true
      refusals[Math.floor(stage.random() * refusals.length)]?.(response)
      return false
    }
  }
}

/** Has it told of everything. */
export async function register(
  stage: Stage,
  { address }: Pick<Service, 'address'>,
  { url }: Pick<Consumer, 'url'>
): Promise<void> {
  const body = { url, types: newsTypes }
  const answer = await stage.ask(`${address}/api/v1/event-endpoints`, { method: 'POST', body })
  assert.equal(answer.status, 201, answer.text)
}
