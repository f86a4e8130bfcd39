import { Pool } from 'undici'
import { ExchangeError } from './errors.ts'
import { exchange, type Limits } from './exchange.ts'
import type { Seen } from './quota.ts'
import type { StartTimeout } from './timeouts.ts'

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
  /** On a 429, how long to wait. */
  retryAfterMs: number | undefined
  /** What the headers say of the quota that the request was counted in. */
  seen: Seen | undefined
}

type Options = { baseUrl: string; userAgent: string; startTimeout: StartTimeout }

/** Speaks HTTP with Calendly over kept connections. Redirects are answers, not followed. */
export function openSender({ baseUrl, userAgent, startTimeout }: Options) {
  const { origin, pathname } = new URL(baseUrl)
  const prefix = pathname.replace(/\/+$/, '')
  // undici's own timers are coarse, so the deadlines are ours; HTTP/2 would blur what had been sent.
  const open = () =>
    new Pool(origin, {
      connections: 64,
      allowH2: false,
      connect: { timeout: 2_000 },
      headersTimeout: 0,
      bodyTimeout: 0
    })
  // Apart, so that no booking waits behind reads that Calendly is slow to answer.
  const pools = { reads: open(), writes: open() }

  /** Throws an ExchangeError when no whole answer came or a success cannot be read. */
  async function send(request: Request, token: string, limits: Limits): Promise<Answer> {
    const hasBody = request.body !== undefined
    const { status, headers, body } = await exchange(
      { pool: request.method === 'GET' ? pools.reads : pools.writes, startTimeout },
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
      retryAfterMs: waitOf(status, headers),
      seen: seenIn(headers)
    }
  }

  return {
    send,
    close: async () => {
      await Promise.all([pools.reads.close(), pools.writes.close()])
    }
  }
}

export type Send = ReturnType<typeof openSender>['send']

function search(query: Query = {}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`
}

// Proxies answer their errors in HTML: of a failure the status is enough, a success must be readable. Compression
// was not asked for, and what came compressed all the same is never inflated: a few bytes could fill the memory.
function parse(status: number, text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    if (status >= 300) return undefined
    throw new ExchangeError('The answer is not JSON', { cause, reason: 'unreadable', wasSent: true })
  }
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

// X-RateLimit-Reset, in seconds, comes with every answer and means something to a retry on a 429 only.
function waitOf(status: number, headers: Headers): number | undefined {
  const seconds =
    wholeIn(headers, 'retry-after') ?? (status === 429 ? wholeIn(headers, 'x-ratelimit-reset') : undefined)
  return seconds === undefined ? undefined : seconds * 1000
}

function seenIn(headers: Headers): Seen | undefined {
  const limit = wholeIn(headers, 'x-ratelimit-limit')
  const remaining = wholeIn(headers, 'x-ratelimit-remaining')
  const reset = wholeIn(headers, 'x-ratelimit-reset')
  if (!limit || remaining === undefined || reset === undefined) return undefined
  return { limit, remaining, resetMs: reset * 1000 }
}

function wholeIn(headers: Headers, name: string): number | undefined {
  const value = headers[name]
  return typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : undefined
}
