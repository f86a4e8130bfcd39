import { isIP, type LookupFunction } from 'node:net'
import { Client } from 'undici'
import type { Attempt } from '../core/event-endpoint.ts'
import type { System } from '../core/system.ts'
import { failureOf } from './failures.ts'
import { retryAfterMs } from './retry-after.ts'
import { signaturesOf } from './sign.ts'
import type { Target, Targets } from './target.ts'

const mostAnswerBytes = 64 * 1024
const mostAnswerMs = 1_000

type Options = {
  system: Pick<System, 'now'>
  userAgent: string
  targets: Targets
  /** From the look-up of the name to the end of the answer. */
  totalMs?: number
}

/** Sends events, each attempt over a connection of its own to an address that was judged for it. */
export function openSender({ system, userAgent, targets, totalMs = 15_000 }: Options) {
  const closing = new AbortController()

  /** Of an answer its status counts, whatever follows. Redirects are answers. Never throws. */
  async function send(
    endpoint: { url: string },
    secrets: readonly string[],
    event: { id: string; body: Buffer }
  ): Promise<Attempt> {
    const startedAt = system.now()
    const timestamp = Math.floor(startedAt / 1000)
    const signal = AbortSignal.any([AbortSignal.timeout(totalMs), closing.signal])
    const headers = {
      'content-type': 'application/json',
      'user-agent': userAgent,
      'webhook-id': event.id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signaturesOf(secrets, { ...event, timestamp })
    }
    const outcome = await attempt(endpoint.url, { headers, body: event.body, signal }).catch((error) => ({
      kind: 'failed' as const,
      error: failureOf(signal.aborted ? signal.reason : error)
    }))
    return { ...outcome, durationMs: system.now() - startedAt }
  }

  async function attempt(url: string, message: Message): Promise<Omit<Attempt, 'durationMs'>> {
    const target = await targets.judge(url, message.signal)
    message.signal.throwIfAborted()
    if (target.kind === 'refused') return { kind: 'failed', error: `URL ${target.reason}` }
    if (target.kind === 'unresolved') return { kind: 'failed', error: 'name not found' }
    const { status, retryAfter } = await post(target, message)
    if (status >= 200 && status < 300) return { kind: 'delivered', status }
    return {
      kind: 'failed',
      status,
      error: status < 400 ? `answered ${status}, which is not followed` : `answered ${status}`,
      retryAfterMs: retryAfterMs(retryAfter, system.now())
    }
  }

  return {
    send,
    /** Gives up what is under way. */
    close: () => closing.abort(new Error('The service stops'))
  }
}

export type Sender = ReturnType<typeof openSender>

type Message = { headers: Readonly<Record<string, string>>; body: Buffer; signal: AbortSignal }

async function post({ url, addresses }: Extract<Target, { kind: 'open' }>, message: Message) {
  const { headers, body, signal } = message
  const client = new Client(url.origin, {
    allowH2: false,
    autoSelectFamily: true,
    // Node's own quarter of a second is too little for who is far away.
    autoSelectFamilyAttemptTimeout: 2_000,
    connect: { lookup: pinned(addresses), timeout: 10_000 },
    headersTimeout: 0,
    bodyTimeout: 0
  })
  // A request that waits for its connection does not hear the signal.
  const giveUp = () => void client.destroy()
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    const path = url.pathname + url.search
    const answer = await client.request({ method: 'POST', path, headers, body, signal, reset: true })
    // So that nobody is interrupted while answering, but only so long.
    const end = AbortSignal.any([signal, AbortSignal.timeout(mostAnswerMs)])
    await answer.body.dump({ limit: mostAnswerBytes, signal: end }).catch(() => {})
    return { status: answer.statusCode, retryAfter: answer.headers['retry-after'] }
  } finally {
    signal.removeEventListener('abort', giveUp)
    await client.destroy()
  }
}

/** The connection goes to what was judged: a second answer of DNS could be another one. */
function pinned(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }))
  return (_host, { all = false }, done) => {
    const [first] = found
    if (all) done(null, found)
    else done(null, first?.address ?? '', first?.family)
  }
}
