import { sql } from 'kysely'
import type { EventEndpoint } from '../../src/core/event-endpoint.ts'
import { createOutbox } from '../../src/database/event-deliveries.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { type EngineKind, openReplicas, type Test } from './database.ts'

type Queued = { subject?: string; type?: string; at?: string }

export type Row = {
  event: string
  status: string
  attempts: number
  due_at: number | null
  last_status: number | null
  last_error: string | null
  last_duration_ms: number | null
}

/** Endpoints, and events queued for them, on two replicas where the engine has them. */
export async function openOutbox(t: Test, kind: EngineKind = 'embedded') {
  const [one, two] = await openReplicas(t, kind)
  const { db } = one
  let position = 0

  async function addEndpoint(id: string, changes: Partial<EventEndpoint> = {}): Promise<EventEndpoint> {
    const endpoint: EventEndpoint = {
      id,
      tenantId: 'default',
      url: `http://127.0.0.1:9/${id}`,
      types: ['booking.confirmed'],
      status: 'enabled',
      createdAt: 0,
      updatedAt: 0,
      ...changes
    }
    await one.transaction(async (tx) => {
      const { eventEndpoints } = tablesOf(tx)
      await eventEndpoints.insert(endpoint)
      await eventEndpoints.addSecret(endpoint, Buffer.from(`secret of ${id}`))
    })
    return endpoint
  }

  /** Logs an event and queues it for each endpoint; its id. */
  async function queue(endpoints: readonly string[], { subject = 'bkg_1', ...event }: Queued = {}) {
    const id = `evt_${++position}`
    const { type = 'booking.confirmed', at = '2026-11-01T00:00:00Z' } = event
    await sql`
      insert into events (id, tenant_id, type, subject, sequence, at, body, position)
      values (${id}, 'default', ${type}, ${subject}, ${position}, ${at}::timestamptz, ${Buffer.from(id)}, ${position})
    `.execute(db)
    for (const endpoint of endpoints) {
      await sql`
        insert into event_deliveries (endpoint_id, event_id, position, subject, status, due_at)
        values (${endpoint}, ${id}, ${position}, ${subject}, 'pending', now())`.execute(db)
    }
    return id
  }

  return {
    db,
    outbox: createOutbox(db),
    other: createOutbox(two.db),
    transact: <T>(work: (tables: ReturnType<typeof tablesOf>) => Promise<T>) =>
      one.transaction((tx) => work(tablesOf(tx))),
    addEndpoint,
    queue,

    /** What became of telling the endpoint, oldest event first. */
    async rowsOf(endpoint: string): Promise<Row[]> {
      const { rows } = await sql<Row>`
        select event_id as event, status, attempts, due_at, last_status, last_error, last_duration_ms
        from event_deliveries where endpoint_id = ${endpoint} order by position`.execute(db)
      return rows
    },

    async endpoint(id: string) {
      const row = await db.selectFrom('event_endpoints').selectAll().where('id', '=', id).executeTakeFirst()
      return row && { status: row.status, reason: row.disabled_reason, failingSince: row.failing_since }
    },

    /** Lets this much of the database's time pass for everything that is due, leased or failing. */
    async pass(seconds: number): Promise<void> {
      const moved = (column: string) =>
        sql`${sql.ref(column)} = ${sql.ref(column)} - ${seconds} * interval '1 second'`
      await sql`update event_deliveries set ${moved('due_at')} where due_at is not null`.execute(db)
      await sql`update event_endpoints set ${moved('failing_since')} where failing_since is not null`.execute(
        db
      )
    },

    async clear(): Promise<void> {
      for (const table of ['event_deliveries', 'event_endpoints', 'events']) {
        await sql`delete from ${sql.table(table)}`.execute(db)
      }
      position = 0
    }
  }
}
