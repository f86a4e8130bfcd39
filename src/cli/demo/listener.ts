import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'

export type Heard = { id: string; type: string; subject: string; sequence: number }

export type Listener = Awaited<ReturnType<typeof openListener>>

/** A service on loopback that is told of events; it believes what is signed with the secret it trusts. */
export async function openListener() {
  const heard = new Map<string, Heard>()
  let webhook: Webhook | undefined
  async function receive(request: IncomingMessage): Promise<number> {
    try {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const event = webhook?.verify(Buffer.concat(chunks), request.headers as Record<string, string>) as Heard
      heard.set(event.id, event)
      return 204
    } catch {
      return 401
    }
  }
  const server = createServer((request, response) => {
    void receive(request).then((status) => response.writeHead(status).end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    trust: (secret: string) => {
      webhook = new Webhook(secret)
    },
    /** What came of a subject, once each, in order. */
    of: (subject: string): Heard[] =>
      [...heard.values()]
        .filter((event) => event.subject === subject)
        .sort((one, other) => one.sequence - other.sequence),
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}
