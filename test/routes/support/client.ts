import { randomUUID } from 'node:crypto'
import { standard } from '../../../src/sandbox/standard.ts'
import { type Answer, type Service, until } from '../../support/service.ts'
import { signatureOf } from '../../support/webhook.ts'

export const { eventTypes } = standard
export const hourMs = 3_600_000
export const dayMs = 24 * hourMs

export const iso = (at: number) => new Date(at).toISOString()

type Fields = Record<string, unknown>
type Call = NonNullable<Parameters<Service['call']>[2]>
type Body = Answer['body']

export function availability({ call, system }: Service, query: Fields = {}): Promise<Answer> {
  const wanted = {
    event_type: eventTypes.thirtyMinutes,
    start_time: iso(system.now() + 2 * dayMs),
    end_time: iso(system.now() + 30 * dayMs),
    timezone: 'Europe/Berlin',
    ...query
  }
  const pairs = Object.entries(wanted).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, String(one)])
  )
  return call('GET', `/api/v1/availability?${new URLSearchParams(pairs)}`)
}

export const slotsOf = ({ body }: Answer): Body[] => body.days.flatMap(({ slots }: Body) => slots)

/** Starts that can be booked now, soonest first, from two days on. */
export async function freeTimes(service: Service, eventType = eventTypes.thirtyMinutes): Promise<string[]> {
  const answer = await availability(service, { event_type: eventType, fresh: true })
  return slotsOf(answer).map(({ start_time }) => start_time)
}

/** A body that books; without a `start_time` of its own, the next free one. */
export async function bookingBody(service: Service, fields: Fields = {}): Promise<Fields> {
  const eventType = String(fields.event_type ?? eventTypes.thirtyMinutes)
  return {
    event_type: eventType,
    start_time: fields.start_time ?? (await freeTimes(service, eventType))[0],
    invitee: { name: 'Grace Example', email: 'grace@example.com', timezone: 'Europe/Berlin' },
    ...(eventType === eventTypes.thirtyMinutes && { location: { kind: 'google_conference' } }),
    ...(eventType === eventTypes.workshop && { location: { kind: 'zoom_conference' } }),
    ...fields
  }
}

export async function book(service: Service, fields: Fields = {}, options: Call = {}): Promise<Answer> {
  const body = await bookingBody(service, fields)
  return service.call('POST', '/api/v1/bookings', { idempotencyKey: randomUUID(), ...options, body })
}

export function cancel({ call }: Service, id: string, fields: Fields = {}, options: Call = {}) {
  return call('POST', `/api/v1/bookings/${id}/cancel`, {
    idempotencyKey: randomUUID(),
    ...options,
    body: { canceler_type: 'invitee', ...fields }
  })
}

export const read = ({ call }: Service, id: string) => call('GET', `/api/v1/bookings/${id}`)

export async function bookings({ call }: Service, filter = ''): Promise<Body[]> {
  return (await call('GET', `/api/v1/bookings?limit=200&${filter}`)).body.data
}

/** The types of a booking's timeline, in order. */
export async function timelineOf({ call }: Service, id: string): Promise<string[]> {
  const { body } = await call('GET', `/api/v1/bookings/${id}/timeline`)
  return body.data.map(({ type }: { type: string }) => type)
}

/** The types of the events that tell of a booking, in order. */
export async function toldOf({ call }: Service, id: string): Promise<string[]> {
  const types: string[] = []
  let cursor = ''
  for (;;) {
    const { body } = await call('GET', `/api/v1/events?limit=200${cursor && `&cursor=${cursor}`}`)
    for (const { subject, type } of body.data) if (subject === id) types.push(type)
    if (body.data.length === 0) return types
    cursor = body.next_cursor
  }
}

/** The booking once its status is the wanted one. */
export async function untilStatus(service: Service, id: string, status: string): Promise<Body> {
  const { body } = await until(
    () => read(service, id),
    ({ body }) => body.status === status
  )
  return body
}

/** Resolves once Calendly sends webhooks here, and what came before them has been compared. */
export async function untilSubscribed({ call, control }: Service): Promise<void> {
  await until(
    () => control('GET', '/state'),
    ({ webhook_subscriptions: [subscription] }) => subscription?.state === 'active'
  )
  await until(
    () => call('GET', '/api/v1/reconciliations'),
    ({ body }) => body.data.some(({ kind, status }: Body) => kind === 'calendly' && status === 'succeeded')
  )
}

/** Resolves once everything that Calendly has sent is applied. */
export async function untilApplied({ call, control }: Service): Promise<void> {
  await until(
    () => control('GET', '/deliveries'),
    ({ deliveries }) => deliveries.every(({ state }: Body) => state !== 'waiting' && state !== 'sending')
  )
  await until(
    () => call('GET', '/api/health'),
    ({ body }) => body.queues.inbox.waiting === 0
  )
}

/** What Calendly was asked, by method and path. */
export async function asked({ control }: Service, method: string, path: RegExp): Promise<Body[]> {
  const { requests } = await control('GET', '/requests')
  return requests.filter((request: Body) => request.method === method && path.test(request.path))
}

/** Bodies of the webhooks that Calendly holds back, oldest first. */
export async function withheld({ control }: Service): Promise<string[]> {
  const { deliveries } = await control('GET', '/deliveries')
  return deliveries.filter(({ state }: Body) => state === 'withheld').map(({ body }: Body) => body)
}

/** Posts a webhook as Calendly would; `null` sends it unsigned. */
export function deliver(
  { call }: Service,
  body: string | Buffer,
  signature: string | null = signatureOf(standard.signingKey, body)
): Promise<Answer> {
  return call('POST', '/api/webhooks/calendly', {
    key: null,
    body,
    headers: signature === null ? {} : { 'calendly-webhook-signature': signature }
  })
}

/** Everything that a request may change, here and at Calendly. */
export async function everything(service: Service) {
  const { call, control } = service
  const [ours, keys, health, state, { requests }] = await Promise.all([
    bookings(service),
    call('GET', '/api/v1/caller-keys'),
    call('GET', '/api/health'),
    control('GET', '/state'),
    control('GET', '/requests')
  ])
  return {
    bookings: ours,
    keys: keys.body,
    inbox: health.body.queues.inbox,
    events: state.scheduled_events,
    subscriptions: state.webhook_subscriptions,
    writes: requests.filter(({ method }: Body) => method !== 'GET')
  }
}
