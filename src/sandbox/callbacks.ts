import { createHmac } from 'node:crypto'
import { Agent, request } from 'undici'
import { micros } from './identifiers.ts'

export type CallbackTimeouts = { connectTimeoutMs: number; readTimeoutMs: number }

export type Attempt = {
  at: string
  signature: string | null
  status: number | null
  error: string | null
  isAccepted: boolean
}

/** Where to, and how it is signed: without a key it is not. */
export type Recipient = {
  url: string
  key: string | undefined
  signatureHeader: string
  headers: Record<string, string>
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
    /** Signed at `now`, epoch milliseconds. Never throws. */
    async post(
      { url, key, signatureHeader, headers }: Recipient,
      body: string,
      now: number
    ): Promise<Attempt> {
      const signature = key === undefined ? null : sign(key, now, body)
      const attempt = { at: micros(now), signature, status: null, error: null, isAccepted: false }
      try {
        const { statusCode, body: answer } = await request(url, {
          method: 'POST',
          dispatcher: agent,
          headers: { ...headers, ...(signature !== null && { [signatureHeader]: signature }) },
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
