import { createHmac } from 'node:crypto'
import { Agent, request } from 'undici'
import { micros } from './identifiers.ts'
import type { Subscription } from './records.ts'

export type CallbackTimeouts = { connectTimeoutMs: number; readTimeoutMs: number }

export type Attempt = {
  at: string
  signature: string | null
  status: number | null
  error: string | null
  isAccepted: boolean
}

/** One POST to a subscriber. Redirects are not followed; whatever is not 2xx in time is a failure. */
export function openCallbacks({ connectTimeoutMs, readTimeoutMs }: CallbackTimeouts) {
  const agent = new Agent({
    connections: 50,
    connect: { timeout: connectTimeoutMs },
    headersTimeout: readTimeoutMs,
    bodyTimeout: readTimeoutMs
  })

  return {
    /** Signed at `now`, epoch milliseconds; a subscription without a key gets no signature. Never throws. */
    async post({ callbackUrl, signingKey }: Subscription, body: string, now: number): Promise<Attempt> {
      const signature = signingKey === undefined ? null : sign(signingKey, now, body)
      const attempt = { at: micros(now), signature, status: null, error: null, isAccepted: false }
      try {
        const { statusCode, body: answer } = await request(callbackUrl, {
          method: 'POST',
          dispatcher: agent,
          headers: {
            'content-type': 'application/json',
            ...(signature !== null && { 'calendly-webhook-signature': signature })
          },
          body
        })
        await answer.dump()
        return { ...attempt, status: statusCode, isAccepted: statusCode >= 200 && statusCode < 300 }
      } catch (error) {
        return { ...attempt, error: error instanceof Error ? error.message : String(error) }
      }
    },

    close: () => agent.destroy()
  }
}

function sign(key: string, now: number, body: string): string {
  const t = Math.floor(now / 1000)
  return `t=${t},v1=${createHmac('sha256', key).update(`${t}.${body}`).digest('hex')}`
}
