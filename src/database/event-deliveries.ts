import { type Kysely, sql } from 'kysely'
import type { DueDelivery, Outbox } from '../core/dispatcher.ts'
import type { OutboxState } from '../core/health.ts'
import { fromNow, instant } from './instant.ts'
import type { Tables } from './tables.ts'

/** How far into an endpoint's queue to look for what may go out, past what waits for earlier events of its subject. */
const lookAhead = 100

type DueRow = {
  tenant_id: string
  endpoint_id: string
  url: string
  failing_since: number | null
  secrets: string[] | null
  event_id: string
  body: Buffer
  position: number
  attempts: number
  due_at: number
}

/** What is in flight has its lease's end as `due_at`; who holds it finds that unchanged when it writes. */
export function createOutbox(db: Kysely<Tables>): Outbox {
  const ours = ({ endpoint, event, leaseUntil }: DueDelivery) =>
    db
      .updateTable('event_deliveries')
      .where('endpoint_id', '=', endpoint.id)
      .where('event_id', '=', event.id)
      .where('due_at', '=', sql<number>`${instant(leaseUntil)}::timestamptz`)

  const endpointOf = ({ endpoint }: DueDelivery) =>
    db.updateTable('event_endpoints').where('id', '=', endpoint.id).where('url', '=', endpoint.url)

  return {
    async claim(busy, { mostAtOnce, leaseMs }) {
      // The inner LIMITs bind each step to its index and to the look-ahead, with no statistics at all, too. Leases end
      // on a millisecond, since they travel through JavaScript.
      const { rows } = await sql<DueRow>`
        with idle as (
          select endpoint.id, endpoint.tenant_id, endpoint.url, endpoint.failing_since,
            ${mostAtOnce}::integer - coalesce(busy.attempts, 0) as free
          from event_endpoints endpoint
          left join unnest(${[...busy.keys()]}::text[], ${[...busy.values()]}::integer[]) as busy (id, attempts)
            on busy.id = endpoint.id
          where endpoint.status = 'enabled' and coalesce(busy.attempts, 0) < ${mostAtOnce}::integer),
        chosen as (
          select idle.*, due.event_id from idle cross join lateral (
            select locked.event_id
            from (
              select event_id, subject, position, attempts from event_deliveries
              where endpoint_id = idle.id and due_at <= now()
              order by due_at, position limit ${lookAhead}::integer) next
            cross join lateral (
              select delivery.event_id from event_deliveries delivery
              where delivery.endpoint_id = idle.id and delivery.event_id = next.event_id
                and delivery.due_at <= now() and (next.attempts > 0 or not exists (
                  select from event_deliveries earlier
                  where earlier.endpoint_id = idle.id and earlier.subject = next.subject
                    and earlier.position < next.position
                    and earlier.status = 'pending' and earlier.attempts = 0))
              limit 1 for update skip locked) locked
            limit idle.free) due)
        update event_deliveries delivery
        set due_at = date_trunc('milliseconds', now()) + ${leaseMs} * interval '1 millisecond'
        from chosen, events event
        where delivery.endpoint_id = chosen.id and delivery.event_id = chosen.event_id and event.id = chosen.event_id
        returning chosen.tenant_id, chosen.id as endpoint_id, chosen.url, chosen.failing_since,
          (select array_agg(encode(secret, 'hex') order by id desc) from event_endpoint_secrets
            where endpoint_id = chosen.id and (expires_at is null or expires_at > now())) as secrets,
          event.id as event_id, event.body, delivery.position, delivery.attempts, delivery.due_at`.execute(db)
      return rows.sort((one, other) => one.position - other.position).map(toDue)
    },

    async succeed(delivery, attempt) {
      // First, so that whoever sees the success finds an endpoint that does not fail.
      if (delivery.endpoint.failingSince !== undefined)
        await endpointOf(delivery).set({ failing_since: null }).execute()
      await ours(delivery)
        .set({ ...made(attempt), status: 'succeeded', due_at: null })
        .execute()
    },

    // Two statements: in one transaction they would lock in another order than whoever disables the endpoint.
    async fail(delivery, attempt, retryInMs) {
      const { numUpdatedRows } = await ours(delivery)
        .set({
          ...made(attempt),
          ...(retryInMs === undefined ? { status: 'failed', due_at: null } : { due_at: fromNow(retryInMs) })
        })
        .executeTakeFirst()
      if (numUpdatedRows === 0n) return undefined
      await endpointOf(delivery)
        .set({ failing_since: fromNow(0) })
        .where('failing_since', 'is', null)
        .execute()
      return { failingForMs: await failingForMs(delivery) }
    },

    async giveBack(deliveries) {
      for (const delivery of deliveries)
        await ours(delivery)
          .set({ due_at: fromNow(0) })
          .execute()
    }
  }

  async function failingForMs({ endpoint }: DueDelivery): Promise<number> {
    const row = await db
      .selectFrom('event_endpoints')
      .select(sql<number>`(extract(epoch from now() - failing_since) * 1000)::float8`.as('ms'))
      .where('id', '=', endpoint.id)
      .where('url', '=', endpoint.url)
      .executeTakeFirst()
    return row?.ms ?? 0
  }
}

type Made = Parameters<Outbox['succeed']>[1]

const made = ({ at, status, error, durationMs }: Made) => ({
  attempts: sql<number>`attempts + 1`,
  last_attempt_at: instant(at),
  last_status: status ?? null,
  last_error: error ?? null,
  last_duration_ms: Math.round(durationMs)
})

function toDue(row: DueRow): DueDelivery {
  return {
    endpoint: {
      tenantId: row.tenant_id,
      id: row.endpoint_id,
      url: row.url,
      failingSince: row.failing_since ?? undefined
    },
    secrets: (row.secrets ?? []).map((secret) => Buffer.from(secret, 'hex')),
    event: { id: row.event_id, body: row.body },
    attempts: row.attempts,
    leaseUntil: row.due_at
  }
}

/** What is still to be told to endpoints, by the database's clock. */
export async function outboxState(db: Kysely<Tables>): Promise<OutboxState> {
  const { rows } = await sql<{
    pending: number
    dead: number
    late_ms: number
    oldest: number | null
    enabled: number
    disabled: number
  }>`
    select pending, coalesce(extract(epoch from now() - earliest), 0)::float8 * 1000 as late_ms,
      (select min(at) from events where position = queue.oldest) as oldest,
      (select count(*) from event_deliveries where status = 'failed') as dead,
      (select count(*) from event_endpoints where status = 'enabled') as enabled,
      (select count(*) from event_endpoints where status = 'disabled') as disabled
    from (select count(*) as pending, min(position) as oldest, min(due_at) as earliest
      from event_deliveries where due_at is not null) queue`.execute(db)
  const { pending = 0, dead = 0, late_ms = 0, oldest = null, enabled = 0, disabled = 0 } = rows[0] ?? {}
  return {
    pending,
    dead,
    lagMs: Math.max(0, Math.round(late_ms)),
    oldestPendingAt: oldest ?? undefined,
    endpoints: { enabled, disabled }
  }
}
