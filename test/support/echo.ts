import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from './database.ts'

/** A Stripe that fails, each time with another status, and quotes whatever it was sent. */
export async function openEcho(t: Test) {
  let status = 500
  let count = 0
  const server = createServer((request, response) => {
    count++
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const message = `${request.headers.authorization} ${request.url} ${Buffer.concat(chunks)} ada@c4n4ry.example c4n4ry`
      const headers = { 'content-type': 'application/json', 'stripe-notice': message, 'request-id': 'req_1' }
      response.writeHead(status, headers)
      response.end(JSON.stringify({ error: { type: 'api_error', code: 'odd', message, param: message } }))
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answerWith: (next: number) => {
      status = next
    },
    asked: () => count
  }
}
