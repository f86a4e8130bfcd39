import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { openSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts'
import { standard } from '../../src/sandbox/standard.ts'
import type { Test } from './database.ts'
import type { Running } from './process.ts'
import { adminKey } from './service.ts'
import { signatureOf, webhookBody } from './webhook.ts'

const meeting = standard.eventTypes.thirtyMinutes
export async function directory(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'calendly-gateway-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

export async function startSandbox(t: Test): Promise<Sandbox> {
  const sandbox = await openSandbox()
  t.teardown(() => sandbox.close())
  return sandbox
}

export const environment = (
  sandbox: Pick<Sandbox, 'url' | 'token' | 'signingKey'>,
  more: Record<string, string> = {}
) => ({
  ADMIN_API_KEY: adminKey,
  RATE_LIMIT_PER_MINUTE: '0',
  RATE_LIMIT_PER_ADDRESS: '0',
  SWEEP_INTERVAL_SECONDS: '0.1',
  DRAIN_SECONDS: '0',
  CALENDLY_API_BASE_URL: sandbox.url,
  CALENDLY_API_TOKEN: sandbox.token,
  CALENDLY_WEBHOOK_SIGNING_KEY: sandbox.signingKey,
  ...more
})

type Asked = { key?: string; idempotencyKey?: string; body?: unknown; headers?: Record<string, string> }

export async function ask(
  { address }: Pick<Running, 'address'>,
  method: string,
  path: string,
  asked: Asked = {}
) {
  const { key = adminKey, idempotencyKey, body, headers } = asked
  const answer = await request(`${address}${path}`, {
    method: method as 'GET',
    headers: {
      authorization: `Bearer ${key}`,
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) })
  })
  const text = await answer.body.text()
  return { status: answer.statusCode, body: text === '' ? undefined : JSON.parse(text) }
}

/** Free times, soonest first and an hour apart or more. */
export async function freeTimes(server: Running): Promise<string[]> {
  const query = new URLSearchParams({
    event_type: meeting,
    start_time: new Date(Date.now() + 86_400_000).toISOString(),
    end_time: new Date(Date.now() + 20 * 86_400_000).toISOString(),
    timezone: 'UTC'
  })
  const { body } = await ask(server, 'GET', `/api/v1/availability?${query}`)
  return body.days.flatMap((day: { slots: { start_time: string }[] }) => day.slots[0]?.start_time ?? [])
}

export const book = (server: Running, startTime: string) =>
  ask(server, 'POST', '/api/v1/bookings', {
    idempotencyKey: `book-${startTime}`,
    body: {
      event_type: meeting,
      start_time: startTime,
      invitee: { name: 'Ada Example', email: 'ada@example.com', timezone: 'UTC' },
      location: { kind: 'google_conference' }
    }
  })

export function deliver(server: Running, id: string) {
  const body = webhookBody({ id, eventType: meeting, startTime: Date.now() + 300 * 86_400_000 })
  const headers = { 'calendly-webhook-signature': signatureOf(standard.signingKey, body) }
  return ask(server, 'POST', '/api/webhooks/calendly', { body, headers })
}
