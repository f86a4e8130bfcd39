import type { Answer, Service } from '../../support/service.ts'
import { eventTypes, freeTimes } from './client.ts'

type Fields = Record<string, unknown>
type Call = NonNullable<Parameters<Service['call']>[2]>

export function check({ call }: Service, fields: Fields, options: Call = {}): Promise<Answer> {
  const body = { event_type: eventTypes.thirtyMinutes, timezone: 'Europe/Berlin', ...fields }
  return call('POST', '/api/v1/conflicts/check', { ...options, body })
}

/** Replaces our settings of the event type; all of them are the defaults unless told otherwise. */
export async function configure(
  { call }: Service,
  fields: Fields = {},
  eventType = eventTypes.thirtyMinutes
) {
  const id = encodeURIComponent(eventType)
  const { status, text } = await call('PUT', `/api/v1/event-types/${id}/settings`, { body: fields })
  if (status !== 200) throw new Error(text)
}

/** Whole days that nobody has touched, each the starts that it has: one a call. */
export async function untouchedDays(service: Service, eventType = eventTypes.thirtyMinutes) {
  const days = new Map<string, string[]>()
  for (const start of await freeTimes(service, eventType)) {
    const date = start.slice(0, 10)
    days.set(date, [...(days.get(date) ?? []), start])
  }
  const full = [...days.values()].filter(({ length }) => length > 10)
  return function takeDay(): string[] {
    const day = full.shift()
    if (!day) throw new Error('no day is left')
    return day
  }
}
