import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export type Received = { headers: IncomingHttpHeaders; raw: string; body: Notice }

type Notice = {
  event: string
  created_at: string
  created_by: string
  payload: {
    uri: string
    email: string
    status: string
    rescheduled: boolean
    old_invitee: string | null
    new_invitee: string | null
    no_show: { uri: string } | null
    scheduled_event: { uri: string; status: string }
  }
}

/** A subscriber that answers what `answer` says: a status, or nothing at all. */
export async function openReceiver(t: Test, answer: () => number | undefined = () => 204) {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const raw = Buffer.concat(chunks).toString()
    received.push({ headers: request.headers, raw, body: JSON.parse(raw) })
    const status = answer()
    if (status === undefined) return
    response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook` }
}
