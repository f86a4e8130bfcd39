import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const halfHourMs = 1_800_000
const dayMs = 86_400_000
const api = 'https://api.calendly.com'

/** Starts that every event type offers: each half hour from nine to five, UTC, but for the weekend. Half-open. */
export function startsBetween(from: number, to: number): number[] {
  const starts: number[] = []
  for (let at = Math.ceil(from / halfHourMs) * halfHourMs; at < to; at += halfHourMs) {
    const hour = (at % dayMs) / 3_600_000
    const weekday = new Date(at).getUTCDay()
    if (hour >= 9 && hour < 17 && weekday > 0 && weekday < 6) starts.push(at)
  }
  return starts
}

type Options = {
  now?: () => number
  /** Calls a minute that the answers speak of; nobody is refused. */
  limit: number
}

/** The least of Calendly that clients can be compared by: its user and available times, counted. */
export async function openWire({ now = Date.now, limit }: Options) {
  const calls: number[] = []
  const pages = new Map<number, string>()

  function rateHeaders() {
    const at = now()
    const windowStart = at - (at % 60_000)
    let used = 0
    for (let n = calls.length - 1; n >= 0 && (calls[n] ?? 0) >= windowStart; n--) used++
    return {
      'x-ratelimit-limit': limit,
      'x-ratelimit-remaining': Math.max(0, limit - used),
      'x-ratelimit-reset': Math.ceil((windowStart + 60_000 - at) / 1_000)
    }
  }

  function timesBody(query: URLSearchParams): string {
    const [from, to] = [query.get('start_time'), query.get('end_time')].map((text) => Date.parse(text ?? ''))
    const items = startsBetween(from ?? 0, to ?? 0).map((start) => {
      const page = pages.get(start) ?? renderTime(start)
      pages.set(start, page)
      return page
    })
    return `{"collection":[${items.join(',')}]}`
  }

  const server = createServer((request, response) => {
    calls.push(now())
    const { pathname, searchParams } = new URL(request.url ?? '', api)
    const body = pathname === '/event_type_available_times' ? timesBody(searchParams) : user
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      ...rateHeaders()
    })
    response.end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    /** When each call came, and starts anew. */
    takeCalls: () => calls.splice(0),
    close: async () => {
      server.close()
      server.closeAllConnections()
    }
  }
}

const renderTime = (start: number) => {
  const start_time = new Date(start).toISOString()
  return JSON.stringify({
    status: 'available',
    invitees_remaining: 1,
    start_time,
    scheduling_url: `https://calendly.com/ada-berger/30min/${start_time}?month=${start_time.slice(0, 7)}`
  })
}

const user = JSON.stringify({
  resource: {
    avatar_url: null,
    created_at: '2026-01-02T03:04:05.678901Z',
    current_organization: `${api}/organizations/NORTHWINDORG2345`,
    email: 'ada@northwind.example',
    locale: 'en',
    name: 'Ada Berger',
    resource_type: 'User',
    scheduling_url: 'https://calendly.com/ada-berger',
    slug: 'ada-berger',
    time_notation: '24h',
    timezone: 'Europe/Berlin',
    updated_at: '2026-06-07T08:09:10.111213Z',
    uri: `${api}/users/ADAHOSTBERLIN234`
  }
})
