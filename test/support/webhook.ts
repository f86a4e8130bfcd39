import { createHmac } from 'node:crypto'

export type WebhookOptions = {
  /** Makes the invitee, and so the body, another one. */
  id: string
  event?: 'invitee.created' | 'invitee.canceled'
  eventType?: string
  startTime?: number
  payload?: Record<string, unknown>
}

const api = 'https://api.calendly.com'

/** A delivery's body as Calendly writes it: compact, microseconds, the event inside the invitee. */
export function webhookBody({
  id,
  event = 'invitee.created',
  payload = {},
  ...rest
}: WebhookOptions): string {
  const { eventType = `${api}/event_types/UNHEARDOF2345678`, startTime = Date.now() + 86_400_000 } = rest
  const uri = `${api}/scheduled_events/${id}`
  const at = '2026-11-20T08:00:00.123456Z'
  return JSON.stringify({
    created_at: at,
    created_by: `${api}/users/ADAHOSTBERLIN234`,
    event,
    payload: {
      uri: `${uri}/invitees/${id}`,
      event: uri,
      status: event === 'invitee.created' ? 'active' : 'canceled',
      name: 'Zoë Example',
      email: 'zoe@example.com',
      timezone: 'Europe/Berlin',
      questions_and_answers: [],
      rescheduled: false,
      created_at: at,
      updated_at: at,
      scheduled_event: {
        uri,
        status: 'active',
        event_type: eventType,
        start_time: new Date(startTime).toISOString(),
        end_time: new Date(startTime + 1_800_000).toISOString(),
        event_memberships: [
          {
            user: `${api}/users/ADAHOSTBERLIN234`,
            user_email: 'ada@northwind.example',
            user_name: 'Ada Berger'
          }
        ]
      },
      ...payload
    }
  })
}

/** `Calendly-Webhook-Signature` for these bytes; `at` in epoch milliseconds. */
export function signatureOf(key: string, body: string | Buffer, at = Date.now()): string {
  const t = Math.floor(at / 1000)
  return `t=${t},v1=${createHmac('sha256', key).update(`${t}.`).update(body).digest('hex')}`
}
