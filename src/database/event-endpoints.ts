import { type Kysely, type Selectable, sql } from 'kysely'
import type { EventEndpoint } from '../core/event-endpoint.ts'
import type { EndpointReads, EndpointRows, EndpointSecrets } from '../core/event-endpoint-tables.ts'
import { fromNow, instant } from './instant.ts'
import type { Tables } from './tables.ts'

const isLive = sql<boolean>`(expires_at is null or expires_at > now())`

/** Inside a transaction. */
export function createEventEndpoints(db: Kysely<Tables>): EndpointRows {
  return {
    async lockAndCount(tenantId) {
      // The tenant stands for the endpoints that are not there yet. Not FOR UPDATE: that would hold up its bookings.
      await db.selectFrom('tenants').select('id').where('id', '=', tenantId).forNoKeyUpdate().execute()
      const { count } = await db
        .selectFrom('event_endpoints')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('tenant_id', '=', tenantId)
        .executeTakeFirstOrThrow()
      return Number(count)
    },

    async insert(endpoint) {
      await db.insertInto('event_endpoints').values(toRow(endpoint)).execute()
    },

    async lock(tenantId, id) {
      const row = await rowsOf(db, tenantId).where('id', '=', id).forUpdate().executeTakeFirst()
      return row && toEndpoint(row)
    },

    async update(endpoint) {
      const { id, tenant_id, created_at, ...changes } = toRow(endpoint)
      await db
        .updateTable('event_endpoints')
        .set(changes)
        .where('tenant_id', '=', tenant_id)
        .where('id', '=', id)
        .execute()
    },

    async remove({ tenantId, id }) {
      await db.deleteFrom('event_endpoints').where('tenant_id', '=', tenantId).where('id', '=', id).execute()
    },

    async giveUp({ id }, error) {
      await db
        .updateTable('event_deliveries')
        .set({ status: 'failed', due_at: null, last_error: error })
        .where('endpoint_id', '=', id)
        .where('status', '=', 'pending')
        .execute()
    },

    async addSecret({ id }, sealed) {
      await db.insertInto('event_endpoint_secrets').values({ endpoint_id: id, secret: sealed }).execute()
    },

    async retireSecret({ id }, overlapMs) {
      await db
        .updateTable('event_endpoint_secrets')
        .set({ expires_at: fromNow(overlapMs) })
        .where('endpoint_id', '=', id)
        .where('expires_at', 'is', null)
        .execute()
      return (await liveSecrets(db, id)).length
    }
  }
}

export function readEventEndpoints(db: Kysely<Tables>): EndpointReads {
  return {
    async find(tenantId, id) {
      const row = await rowsOf(db, tenantId).where('id', '=', id).executeTakeFirst()
      return row && toEndpoint(row)
    },

    async list(tenantId, { before, limit }) {
      const rows = await rowsOf(db, tenantId)
        .$if(before !== undefined, (query) => query.where('id', '<', before ?? ''))
        .orderBy('id', 'desc')
        .limit(limit)
        .execute()
      return rows.map(toEndpoint)
    },

    liveSecrets: (endpointId) => liveSecrets(db, endpointId)
  }
}

export function createEndpointSecrets(db: Kysely<Tables>): EndpointSecrets {
  return {
    async list() {
      const rows = await db
        .selectFrom('event_endpoint_secrets as kept')
        .innerJoin('event_endpoints as endpoint', 'endpoint.id', 'kept.endpoint_id')
        .select(['endpoint.tenant_id', 'endpoint.id', 'kept.id as secret_id', 'kept.secret'])
        .execute()
      return rows.map((row) => ({
        tenantId: row.tenant_id,
        id: row.id,
        secretId: row.secret_id,
        sealed: row.secret
      }))
    },

    async reseal(secretId, from, to) {
      await db
        .updateTable('event_endpoint_secrets')
        .set({ secret: to })
        .where('id', '=', secretId)
        .where('secret', '=', from)
        .execute()
    },

    async removeExpired() {
      await sql`delete from event_endpoint_secrets where expires_at <= now()`.execute(db)
    }
  }
}

async function liveSecrets(db: Kysely<Tables>, endpointId: string): Promise<Buffer[]> {
  const rows = await db
    .selectFrom('event_endpoint_secrets')
    .select('secret')
    .where('endpoint_id', '=', endpointId)
    .where(isLive)
    .orderBy('id', 'desc')
    .execute()
  return rows.map(({ secret }) => secret)
}

const rowsOf = (db: Kysely<Tables>, tenantId: string) =>
  db.selectFrom('event_endpoints').selectAll().where('tenant_id', '=', tenantId)

function toRow(endpoint: EventEndpoint) {
  const { failingSince } = endpoint
  return {
    id: endpoint.id,
    tenant_id: endpoint.tenantId,
    url: endpoint.url,
    types: [...endpoint.types],
    description: endpoint.description ?? null,
    status: endpoint.status,
    disabled_reason: endpoint.disabledReason ?? null,
    failing_since: failingSince === undefined ? null : instant(failingSince),
    created_at: instant(endpoint.createdAt),
    updated_at: instant(endpoint.updatedAt)
  }
}

export function toEndpoint(row: Selectable<Tables['event_endpoints']>): EventEndpoint {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    url: row.url,
    types: row.types as EventEndpoint['types'],
    description: row.description ?? undefined,
    status: row.status as EventEndpoint['status'],
    disabledReason: (row.disabled_reason ?? undefined) as EventEndpoint['disabledReason'],
    failingSince: row.failing_since ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at
  }
}
