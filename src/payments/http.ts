import type Stripe from 'stripe'
import { type Dispatcher, Pool } from 'undici'
import { ExchangeError, notStripes } from './errors.ts'
import { exchange, type Reply } from './exchange.ts'

type HttpClient = NonNullable<NonNullable<ConstructorParameters<typeof Stripe>[1]>['httpClient']>

/** Of an answer, what the library or we have a use for; the rest it would carry along or print. */
const kept = ['request-id', 'retry-after', 'stripe-should-retry', 'stripe-version', 'idempotent-replayed']

/**
 * What the library sends its requests with. Its own clients send a request again whose connection broke, even with
 * retries off; of ours it learns no error code that would make it.
 */
export function openHttp(baseUrl: string): { client: HttpClient; close: () => Promise<void> } {
  const { origin, pathname } = new URL(baseUrl)
  const prefix = pathname.replace(/\/+$/, '')
  // undici's own timers are coarse, so the deadlines are ours; HTTP/2 would blur what had been sent.
  const pool = new Pool(origin, {
    connections: 32,
    allowH2: false,
    connect: { timeout: 2_000 },
    headersTimeout: 0,
    bodyTimeout: 0
  })
  return {
    client: {
      getClientName: () => 'undici',
      async makeRequest(_host, _port, path, method, headers, body, _protocol, timeoutMs) {
        const request = {
          method: method as Dispatcher.HttpMethod,
          path: prefix + path,
          headers: headers as Record<string, string>,
          body: body === '' ? null : body
        }
        return answerOf(await exchange(pool, request, timeoutMs))
      }
    },
    close: () => pool.close()
  }
}

function answerOf(reply: Reply): Awaited<ReturnType<HttpClient['makeRequest']>> {
  const { status, headers } = reply
  const body = read(reply)
  const shown = kept.flatMap((name) => {
    const value = headers[name]?.toString()
    return value === undefined ? [] : [[name, value]]
  })
  return {
    getStatusCode: () => status,
    getHeaders: () => Object.fromEntries(shown),
    getRawResponse: () => ({}),
    toStream: () => {
      throw new Error('No answer is read as a stream')
    },
    toJSON: async () => body
  }
}

/** A success must be readable. Of what is none, proxies answer in HTML: there the status is enough. */
function read({ status, body }: Reply): object {
  const isSuccess = status >= 200 && status < 300
  const parsed = parse(body)
  if (isSuccess) {
    if (parsed && !('error' in parsed)) return parsed
    throw new ExchangeError('The answer makes no sense', { wasSent: true })
  }
  const isStripes = parsed && 'error' in parsed && typeof parsed.error === 'object' && parsed.error !== null
  return isStripes ? parsed : { error: { type: notStripes, message: `Something answered ${status}` } }
}

function parse(text: string): object | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined
  } catch {
    return undefined
  }
}
