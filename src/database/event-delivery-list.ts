import { type Kysely, sql } from 'kysely'
import type { EventDelivery, Replay } from '../core/event-endpoint-deliveries.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

export type DeliveryPage = {
  before?: number | undefined
  limit: number
  status?: EventDelivery['status'] | undefined
}

/** Newest event first, positions below `before` only. */
export async function listEventDeliveries(
  db: Kysely<Tables>,
  tenantId: string,
  endpointId: string,
  { before, limit, status }: DeliveryPage
): Promise<EventDelivery[]> {
  const rows = await db
    .selectFrom('event_deliveries as delivery')
    .innerJoin('events as event', 'event.id', 'delivery.event_id')
    .selectAll('delivery')
    .select('event.type')
    .where('event.tenant_id', '=', tenantId)
    .where('delivery.endpoint_id', '=', endpointId)
    .$if(before !== undefined, (query) => query.where('delivery.position', '<', before ?? 0))
    .$if(status !== undefined, (query) => query.where('delivery.status', '=', status ?? ''))
    .orderBy('delivery.position', 'desc')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    eventId: row.event_id,
    type: row.type as EventDelivery['type'],
    position: row.position,
    status: row.status as EventDelivery['status'],
    attempts: row.attempts,
    dueAt: row.due_at ?? undefined,
    lastAttempt:
      row.last_attempt_at === null
        ? undefined
        : {
            at: row.last_attempt_at,
            status: row.last_status ?? undefined,
            error: row.last_error ?? undefined,
            durationMs: row.last_duration_ms ?? 0
          }
  }))
}

/** Events that one statement queues again; the embedded engine lets nothing else happen meanwhile. */
const replayedAtOnce = 500

/**
 * Queues what happened from then on, or was given up, and the endpoint wants to hear of, as if it had never been told;
 * what waits for its first attempt stays where it is. How many events.
 */
export async function replayEvents(
  db: Kysely<Tables>,
  tenantId: string,
  endpointId: string,
  wanted: Replay
): Promise<number> {
  let queued = 0
  for (let after: number | null = 0; after !== null; ) {
    const page = await replayPage(db, { tenantId, endpointId, wanted, after })
    queued += page.queued
    after = page.last
  }
  return queued
}

type Page = { tenantId: string; endpointId: string; wanted: Replay; after: number }

/** The events that follow a position. `last` is null when there are no more. */
async function replayPage(db: Kysely<Tables>, { tenantId, endpointId, wanted, after }: Page) {
  const happened =
    'status' in wanted
      ? sql`event_deliveries given_up on given_up.endpoint_id = endpoint.id and given_up.status = 'failed'
          join events event on event.id = given_up.event_id and event.position = given_up.position`
      : sql`events event on event.tenant_id = endpoint.tenant_id
          and event.at >= ${instant(wanted.from)}::timestamptz`
  // Locked, so that whoever disables the endpoint meanwhile finds what is queued here.
  const { rows } = await sql<{ queued: number; last: number | null }>`
    with endpoint as (
      select id, tenant_id, types from event_endpoints
      where id = ${endpointId} and tenant_id = ${tenantId} and status = 'enabled' for share),
    page as (
      select endpoint.id as endpoint_id, event.id, event.position, event.subject
      from endpoint join ${happened}
      where event.position > ${after} and event.type = any(endpoint.types)
      order by event.position limit ${replayedAtOnce}::integer),
    queued as (
      insert into event_deliveries (endpoint_id, event_id, position, subject, status, due_at)
      select endpoint_id, id, position, subject, 'pending', now() from page
      on conflict (endpoint_id, event_id) do update set status = 'pending', attempts = 0, due_at = now()
      where event_deliveries.status <> 'pending' or event_deliveries.attempts > 0
      returning position)
    select (select count(*) from queued) as queued, (select max(position) from page) as last`.execute(db)
  return rows[0] ?? { queued: 0, last: null }
}
