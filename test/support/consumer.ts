import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from './database.ts'

export type Post = { path: string; headers: IncomingHttpHeaders; body: Buffer }

type Respond = (response: ServerResponse, post: Post) => void

/** Something on loopback that events are sent to; answers 204 unless told otherwise. Closed when the test ends. */
export async function openConsumer(
  t: Test,
  respond: Respond = (response) => void response.writeHead(204).end(),
  { host = '127.0.0.1', port = 0 } = {}
) {
  const posts: Post[] = []
  let answer = respond
  let connections = 0
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const post = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) }
    posts.push(post)
    answer(response, post)
  })
  server.on('connection', () => connections++)
  server.listen(port, host)
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address() as AddressInfo
  return {
    url: `http://${host}:${address.port}/hook`,
    port: address.port,
    posts,
    connections: () => connections,
    respond: (next: Respond) => {
      answer = next
    }
  }
}
