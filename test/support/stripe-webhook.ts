import { createHmac } from 'node:crypto'

type Event = { id?: string; type?: string; livemode?: boolean; object?: object; [member: string]: unknown }

/** An event of Stripe's as it is delivered. */
export function stripeEvent({ object = { object: 'charge', id: 'ch_1' }, ...changes }: Event = {}): string {
  return JSON.stringify({
    id: 'evt_1',
    object: 'event',
    api_version: '2026-10-28.endive',
    created: 1_767_225_600,
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    type: 'charge.refunded',
    ...changes
  })
}

/** `Stripe-Signature` for these bytes, as Stripe documents it; `at` in epoch milliseconds. */
export function stripeSignatureOf(secret: string, body: string | Buffer, at = Date.now()): string {
  const t = Math.floor(at / 1000)
  return `t=${t},v1=${createHmac('sha256', secret).update(`${t}.`).update(body).digest('hex')}`
}
