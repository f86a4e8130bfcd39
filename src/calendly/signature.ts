import { createHmac, timingSafeEqual } from 'node:crypto'

export type Verdict = { kind: 'genuine' | 'stale'; timestampMs: number } | { kind: 'forged' }

type Signed = { timestamp: string; signatures: readonly Buffer[] }

/** Judges `Calendly-Webhook-Signature` over the raw bytes. `stale` is genuine, but too old or too far ahead. */
export function verifySignature(delivery: {
  header: unknown
  body: Uint8Array
  keys: readonly string[]
  now: number
  toleranceMs: number
}): Verdict {
  const signed = parseHeader(delivery.header)
  if (!signed || !isVerified(signed, delivery.body, delivery.keys)) return { kind: 'forged' }

  const timestampMs = Number(signed.timestamp) * 1000
  const isStale = Math.abs(delivery.now - timestampMs) > delivery.toleranceMs
  return { kind: isStale ? 'stale' : 'genuine', timestampMs }
}

/** Exactly one `t`, one to five `v1`; other names are left for Calendly to invent. */
function parseHeader(header: unknown): Signed | undefined {
  if (typeof header !== 'string' || header.length > 4096) return undefined
  const timestamps: string[] = []
  const signatures: Buffer[] = []
  for (const part of header.split(',')) {
    const [, name, value = ''] = /^(\w+)=(.*)$/.exec(part) ?? []
    if (name === undefined) return undefined
    if (name === 't') timestamps.push(value)
    if (name === 'v1') {
      if (!/^[\da-f]{64}$/i.test(value)) return undefined
      signatures.push(Buffer.from(value, 'hex'))
    }
  }
  const [timestamp = ''] = timestamps
  const isComplete = timestamps.length === 1 && signatures.length >= 1 && signatures.length <= 5
  return isComplete && /^\d{1,10}$/.test(timestamp) ? { timestamp, signatures } : undefined
}

// Every key meets every signature even after a match, so the time taken tells nothing about either.
function isVerified({ timestamp, signatures }: Signed, body: Uint8Array, keys: readonly string[]): boolean {
  let isMatched = false
  for (const key of keys) {
    const expected = createHmac('sha256', key).update(`${timestamp}.`).update(body).digest()
    for (const signature of signatures) {
      if (timingSafeEqual(signature, expected)) isMatched = true
    }
  }
  return isMatched
}
