import { type Kysely, type Selectable, sql } from 'kysely'
import type { CalendlyKeyRows, KeptKey, KeyNotice } from '../core/calendly-key-tables.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

export function createCalendlyKeys(db: Kysely<Tables>): CalendlyKeyRows {
  const rowsOf = (tenantId: string) =>
    db.selectFrom('calendly_keys').selectAll().where('tenant_id', '=', tenantId).orderBy('priority')

  return {
    async list(tenantId) {
      const rows = await rowsOf(tenantId).orderBy('name').execute()
      return rows.map(toKey)
    },

    async lock(tenantId) {
      // The tenant stands for the keys that are not there yet. Not FOR UPDATE: that would hold up its bookings.
      await db.selectFrom('tenants').select('id').where('id', '=', tenantId).forNoKeyUpdate().execute()
      const rows = await rowsOf(tenantId).orderBy('name').forUpdate().execute()
      return rows.map(toKey)
    },

    async put(key) {
      const { tenant_id, name, ...row } = toRow(key)
      await db
        .insertInto('calendly_keys')
        .values({ tenant_id, name, ...row })
        .onConflict((conflict) =>
          conflict.columns(['tenant_id', 'name']).doUpdateSet({
            ...row,
            probed_at: sql`case when calendly_keys.fingerprint = excluded.fingerprint then calendly_keys.probed_at end`
          })
        )
        .execute()
    },

    async remove(tenantId, name) {
      await db
        .deleteFrom('calendly_keys')
        .where('tenant_id', '=', tenantId)
        .where('name', '=', name)
        .execute()
    },

    async addUses(tenantId, uses) {
      const counted = [...uses].map(([fingerprint, { count, lastUsedAt }]) => ({
        fingerprint,
        count,
        at: instant(lastUsedAt)
      }))
      await sql`
        update calendly_keys
        set usage_count = usage_count + used.count, last_used_at = greatest(last_used_at, used.at)
        from unnest(
          ${counted.map(({ fingerprint }) => fingerprint)}::text[],
          ${counted.map(({ count }) => count)}::bigint[],
          ${counted.map(({ at }) => at)}::timestamptz[]) as used (fingerprint, count, at)
        where tenant_id = ${tenantId} and calendly_keys.fingerprint = used.fingerprint`.execute(db)
    },

    async claimProbe({ tenantId, name, fingerprint }, intervalMs) {
      const { numUpdatedRows } = await db
        .updateTable('calendly_keys')
        .set({ probed_at: sql`clock_timestamp()` })
        .where('tenant_id', '=', tenantId)
        .where('name', '=', name)
        .where('fingerprint', '=', fingerprint)
        .where(
          sql<boolean>`coalesce(probed_at, '-infinity') <= clock_timestamp() - ${intervalMs} * interval '1 millisecond'`
        )
        .executeTakeFirstOrThrow()
      return numUpdatedRows > 0n
    },

    async reseal({ tenantId, name }, from, to) {
      await db
        .updateTable('calendly_keys')
        .set({ token: to })
        .where('tenant_id', '=', tenantId)
        .where('name', '=', name)
        .where('token', '=', from)
        .execute()
    },

    async note(notices) {
      if (notices.length === 0) return []
      const { rows } = await sql<Pick<KeyNotice, 'fingerprint' | 'kind' | 'occasion'>>`
        insert into calendly_key_notices (tenant_id, name, fingerprint, kind, occasion, detail, at)
        select * from unnest(
          ${notices.map(({ tenantId }) => tenantId)}::text[],
          ${notices.map(({ name }) => name)}::text[],
          ${notices.map(({ fingerprint }) => fingerprint)}::text[],
          ${notices.map(({ kind }) => kind)}::text[],
          ${notices.map(({ occasion }) => occasion)}::text[],
          ${notices.map(({ detail }) => JSON.stringify(detail))}::jsonb[],
          ${notices.map(({ at }) => instant(at))}::timestamptz[]
        ) as wanted (tenant_id, name, fingerprint, kind, occasion, detail, at)
        where not exists (
          select from calendly_key_notices known
          where (known.tenant_id, known.fingerprint, known.kind, known.occasion)
            = (wanted.tenant_id, wanted.fingerprint, wanted.kind, wanted.occasion))
        on conflict do nothing
        returning fingerprint, kind, occasion`.execute(db)
      return notices.filter(({ fingerprint, kind, occasion }) =>
        rows.some((row) => row.fingerprint === fingerprint && row.kind === kind && row.occasion === occasion)
      )
    }
  }
}

function toRow(key: KeptKey) {
  const { invalidSince, retireAt, lastUsedAt } = key
  return {
    tenant_id: key.tenantId,
    name: key.name,
    source: key.source,
    fingerprint: key.fingerprint,
    token: key.sealedToken ?? null,
    last_four: key.lastFour,
    state: key.state,
    priority: key.priority,
    calendly_user: key.user ?? null,
    organization: key.organization ?? null,
    invalid_since: invalidSince === undefined ? null : instant(invalidSince),
    retire_at: retireAt === undefined ? null : instant(retireAt),
    usage_count: key.usageCount,
    last_used_at: lastUsedAt === undefined ? null : instant(lastUsedAt),
    created_at: instant(key.createdAt)
  }
}

function toKey(row: Selectable<Tables['calendly_keys']>): KeptKey {
  return {
    tenantId: row.tenant_id,
    name: row.name,
    source: row.source as KeptKey['source'],
    fingerprint: row.fingerprint,
    lastFour: row.last_four,
    state: row.state as KeptKey['state'],
    priority: row.priority,
    user: row.calendly_user ?? undefined,
    organization: row.organization ?? undefined,
    invalidSince: row.invalid_since ?? undefined,
    retireAt: row.retire_at ?? undefined,
    usageCount: row.usage_count,
    lastUsedAt: row.last_used_at ?? undefined,
    createdAt: row.created_at,
    sealedToken: row.token ?? undefined
  }
}
