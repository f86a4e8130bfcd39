import { type Kysely, sql } from 'kysely'
import type { EventLogState, EventLogStore } from '../core/event-log.ts'
import type { Tables } from './tables.ts'

/** Events that one statement places: it keeps everybody else from placing any. */
const placedAtOnce = 500

export function createEventLog(db: Kysely<Tables>): EventLogStore & { state: () => Promise<EventLogState> } {
  const listeners: (() => void)[] = []

  return {
    async advance() {
      if (!(await isAnyWaiting(db))) return
      for (let placed = placedAtOnce; placed === placedAtOnce; ) {
        placed = await placeNext(db)
        if (placed > 0) for (const listen of listeners) listen()
      }
    },

    onPlaced(listener) {
      listeners.push(listener)
    },

    async page(tenantId, { after, types, limit }) {
      const isWanted = types ? sql<boolean>`type = any(${types}::text[])` : sql<boolean>`true`
      // One statement: what is placed while it runs is neither among the events nor behind the head.
      const { rows } = await sql<{ head: number; position: number | null; body: Buffer | null }>`
        select head.position as head, event.position, event.body
        from events_head head left join (
          select position, body from events
          where tenant_id = ${tenantId} and position > ${after} and ${isWanted}
          order by position limit ${limit}::integer) event on true
        order by event.position`.execute(db)
      const events = rows.flatMap(({ position, body }) => (position && body ? { position, body } : []))
      return { head: rows[0]?.head ?? 0, events }
    },

    async find(tenantId, id) {
      const row = await db
        .selectFrom('events')
        .select('body')
        .where('tenant_id', '=', tenantId)
        .where('id', '=', id)
        .executeTakeFirst()
      return row?.body
    },

    async state() {
      const { rows } = await sql<{ head: number; waiting: number; since: number | null }>`
        select head.position as head, waiting.count as waiting, waiting.since
        from events_head head,
          (select count(*)::int as count, min(at) as since from events where position is null) waiting`.execute(
        db
      )
      const { head = 0, waiting = 0, since = null } = rows[0] ?? {}
      return { written: head + waiting, waiting, waitingSince: since ?? undefined }
    }
  }
}

/** Without a lock, since mostly there is nothing. What somebody is just placing still waits. */
async function isAnyWaiting(db: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql<{ is_any: boolean }>`
    select exists (select from events where position is null) as is_any`.execute(db)
  return rows[0]?.is_any ?? false
}

/**
 * Gives places to the events that were written first, and queues them for the endpoints that want them. How many.
 * LATERAL with a value of the head's has the head locked before the first event is chosen: whoever chose before would
 * place what is older behind what is newer. The endpoints are locked so that whoever disables one finds what is queued.
 * LIMIT 1 is for the planner, who otherwise expects thousands of heads and reads all events.
 */
async function placeNext(db: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ placed: number }>`
    with head as materialized (select position from events_head limit 1 for update),
    batch as materialized (
      select waiting.id, waiting.head + row_number() over (order by waiting.written) as position
      from head cross join lateral (
        select id, written, head.position as head from events where position is null
        order by written limit ${placedAtOnce}::integer for update of events skip locked) waiting),
    placed as (
      update events set position = batch.position from batch where events.id = batch.id
      returning events.id, events.tenant_id, events.type, events.subject, events.position),
    moved as (
      update events_head set position = position + (select count(*) from placed)),
    queued as (
      insert into event_deliveries (endpoint_id, event_id, position, subject, status, due_at)
      select endpoint.id, placed.id, placed.position, placed.subject, 'pending', now()
      from placed join event_endpoints endpoint on endpoint.tenant_id = placed.tenant_id
        and endpoint.status = 'enabled' and placed.type = any(endpoint.types)
      for share of endpoint)
    select count(*)::int as placed from placed`.execute(db)
  return rows[0]?.placed ?? 0
}
