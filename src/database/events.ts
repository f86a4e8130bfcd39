import { type Kysely, sql } from 'kysely'
import type { News, NewsTables } from '../core/events.ts'
import { createId } from '../core/ids.ts'
import type { System } from '../core/system.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

/** The public form of what an event tells of. */
export type PresentNews = (news: News) => Readonly<Record<string, unknown>>

export function createEvents(
  db: Kysely<Tables>,
  { system, presentNews }: { system: Pick<System, 'now' | 'id'>; presentNews: PresentNews }
): NewsTables['events'] {
  return {
    // The number is put into the bytes by the statement that gives it, so that writing an event is one round trip.
    async add(news) {
      const { tenantId, type, subject, at, source } = news
      const id = createId('evt', system)
      const head = JSON.stringify({ id, type, timestamp: instant(at), subject }).slice(0, -1)
      const tail = JSON.stringify({ source, data: presentNews(news) }).slice(1)
      await sql`
        with next as (
          insert into event_subjects (tenant_id, subject, sequence) values (${tenantId}, ${subject}, 1)
          on conflict (tenant_id, subject) do update set sequence = event_subjects.sequence + 1
          returning sequence)
        insert into events (id, tenant_id, type, subject, sequence, at, body)
        select ${id}, ${tenantId}, ${type}, ${subject}, sequence, ${instant(at)}::timestamptz,
          convert_to(${`${head},"sequence":`}::text || sequence || ${`,${tail}`}::text, 'UTF8')
        from next`.execute(db)
    }
  }
}
