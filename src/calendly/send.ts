import { Pool } from 'undici'
import { ExchangeError } from './errors.ts'
import { exchange, type Limits } from './exchange.ts'

export type Query = Readonly<Record<string, string | undefined>>

export type Request = {
  method: 'GET' | 'POST' | 'DELETE'
  /** Below the base URL, starting with a slash. */
  path: string
  query?: Query | undefined
  body?: unknown
}

/** A whole answer of any status. `body` is the parsed JSON, `undefined` where there is none. */
export type Answer = {
  status: number
  body: unknown
  requestId: string | undefined
  retryAfterMs: number | undefined
}

/** Speaks HTTP with Calendly over kept connections. Redirects are answers, not followed. */
export function openSender({ baseUrl, userAgent }: { baseUrl: string; userAgent: string }) {
  const { origin, pathname } = new URL(baseUrl)
  const prefix = pathname.replace(/\/+$/, '')
  // undici's own timers are coarse, so the deadlines are ours; HTTP/2 would blur what had been sent.
  const pool = new Pool(origin, {
    connections: 64,
    allowH2: false,
    connect: { timeout: 2_000 },
    headersTimeout: 0,
    bodyTimeout: 0
  })

  /** Throws an ExchangeError when no whole answer came or a success cannot be read. */
  async function send(request: Request, token: string, limits: Limits): Promise<Answer> {
    const hasBody = request.body !== undefined
    const { status, headers, body } = await exchange(
      pool,
      {
        method: request.method,
        path: prefix + request.path + search(request.query),
        headers: {
          authorization: `Bearer ${token}`,
          'user-agent': userAgent,
          accept: 'application/json',
          ...(hasBody && { 'content-type': 'application/json' })
        },
        body: hasBody ? JSON.stringify(request.body) : null
      },
      limits
    )
    return {
      status,
      body: parse(status, body.toString()),
      requestId: headers['x-request-id']?.toString(),
      retryAfterMs: waitOf(status, headers)
    }
  }

  return { send, close: () => pool.close() }
}

export type Send = ReturnType<typeof openSender>['send']

function search(query: Query = {}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`
}

// Proxies answer their errors in HTML: of a failure the status is enough, a success must be readable.
function parse(status: number, text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    if (status >= 300) return undefined
    throw new ExchangeError('The answer is not JSON', { cause, wasSent: true })
  }
}

// X-RateLimit-Reset, in seconds, comes with every answer and means something on a 429 only.
function waitOf(status: number, headers: Readonly<Record<string, string | string[] | undefined>>) {
  const seconds = headers['retry-after'] ?? (status === 429 ? headers['x-ratelimit-reset'] : undefined)
  return typeof seconds === 'string' && /^\d{1,6}$/.test(seconds) ? Number(seconds) * 1000 : undefined
}
