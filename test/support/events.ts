import { deepStrictEqual } from 'node:assert'
import type { News } from '../../src/core/events.ts'
import { eventsOut } from '../../src/schemas/events.ts'
import { aBooking } from './samples.ts'
import type { Answer, Service } from './service.ts'

/** An event as the log tells it. */
// biome-ignore lint/suspicious/noExplicitAny: it holds a subject of any kind
export type Told = { id: string; type: string; subject: string; sequence: number; source?: string; data: any }

/**
 * The whole log of the caller's tenant from the beginning or from a cursor on, in order, page by page. Throws where an
 * event has less or more than the document says of its type.
 */
export async function readLog(
  { call }: Pick<Service, 'call'>,
  { query = {}, from, key }: { query?: Record<string, string>; from?: string; key?: string } = {}
): Promise<{ events: Told[]; cursor: string }> {
  const events: Told[] = []
  for (let cursor = from; ; ) {
    const pairs = new URLSearchParams({ ...query, ...(cursor !== undefined && { cursor }) })
    const { status, text, body }: Answer = await call('GET', `/api/v1/events?${pairs}`, {
      ...(key && { key })
    })
    if (status !== 200) throw new Error(`${status} ${text}`)
    deepStrictEqual(eventsOut.parse(body), body)
    events.push(...body.data)
    if (body.data.length === 0) return { events, cursor: body.next_cursor }
    cursor = body.next_cursor
  }
}

/** What the log tells of a subject, in order. */
export async function eventsOf(service: Pick<Service, 'call'>, subject: string): Promise<Told[]> {
  return (await readLog(service)).events.filter((event) => event.subject === subject)
}

/** Something to write into the log. */
export function aNews(changes: Partial<News> = {}): News {
  const booking = aBooking({ status: 'confirmed' })
  return {
    tenantId: 'default',
    type: 'booking.confirmed',
    subject: booking.id,
    at: Date.parse('2026-11-01T09:00:00Z'),
    data: { booking },
    ...changes
  }
}
