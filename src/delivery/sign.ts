import { createHmac } from 'node:crypto'

type Signed = {
  id: string
  /** Of this attempt, in epoch seconds. */
  timestamp: number
  body: Buffer
}

/** `webhook-signature` of Standard Webhooks: one signature for each secret (`whsec_` and base64), any of which will do. */
export function signaturesOf(secrets: readonly string[], { id, timestamp, body }: Signed): string {
  return secrets
    .map((secret) => {
      const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
      return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`
    })
    .join(' ')
}
