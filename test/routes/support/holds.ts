import { randomUUID } from 'node:crypto'
import type { Execution } from '../../../src/core/idempotency.ts'
import type { Answer, Service } from '../../support/service.ts'
import { eventTypes, freeTimes } from './client.ts'

type Fields = Record<string, unknown>
type Call = NonNullable<Parameters<Service['call']>[2]>

const admin = { tenantId: 'default', name: 'admin', scopes: [] }
const unkeyed: Execution = { subject: undefined, begin: async () => {}, forget: async () => {} }

/** Without a `start_time` of its own, of the next free one. */
export async function hold(service: Service, fields: Fields = {}, options: Call = {}): Promise<Answer> {
  const eventType = String(fields.event_type ?? eventTypes.thirtyMinutes)
  const start_time = fields.start_time ?? (await freeTimes(service, eventType))[0]
  const body = { event_type: eventType, start_time, ...fields }
  return service.call('POST', '/api/v1/holds', { ...options, body })
}

export const readHold = ({ call }: Service, id: string, options: Call = {}) =>
  call('GET', `/api/v1/holds/${id}`, options)

export const release = ({ call }: Service, id: string, options: Call = {}) =>
  call('DELETE', `/api/v1/holds/${id}`, options)

/** One of the administrator's that is over as soon as it is made. */
export async function expiredHold({ app }: Service, eventType: string, startTime: string): Promise<string> {
  const request = { eventType, startTime: Date.parse(startTime), ttlMs: 0 }
  return (await app.services.holds.create(admin, request, unkeyed)).id
}

/** Another caller's key. */
export async function keyOf({ call }: Service, name: string = randomUUID()): Promise<string> {
  const scopes = ['bookings:write', 'availability:read']
  return (await call('POST', '/api/v1/caller-keys', { body: { name, scopes } })).body.key
}

/** As if the process had died when everything was done but the answer: nobody has it, and its lease is over. */
export async function loseAnswer({ app }: Service, key: string, subject: string): Promise<void> {
  const id = { tenantId: admin.tenantId, caller: admin.name, key }
  await app.database.transact(async ({ idempotency }) => {
    const { row } = await idempotency.lock({ ...id, method: '', route: '', fingerprint: '' }, 0)
    const { method, route, fingerprint } = row
    const epoch = await idempotency.restart({ ...id, method, route, fingerprint }, 0)
    await idempotency.setSubject(id, epoch, subject, 0)
  })
}
