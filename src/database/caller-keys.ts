import type { Kysely } from 'kysely'
import type { CallerKey } from '../core/callers.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

export function createCallerKeys(db: Kysely<Tables>) {
  return {
    async insert({
      id,
      tenantId,
      name,
      scopes,
      createdAt,
      hash
    }: CallerKey & { hash: Buffer }): Promise<void> {
      await db
        .insertInto('caller_keys')
        .values({
          id,
          tenant_id: tenantId,
          name,
          key_hash: hash,
          scopes: [...scopes],
          created_at: instant(createdAt)
        })
        .execute()
    },

    /** Live keys only. */
    async findByHash(hash: Buffer): Promise<CallerKey | undefined> {
      const row = await live().where('key_hash', '=', hash).executeTakeFirst()
      return row && toKey(row)
    },

    async list(tenantId: string): Promise<CallerKey[]> {
      const rows = await live().where('tenant_id', '=', tenantId).orderBy('id').execute()
      return rows.map(toKey)
    },

    /** False when there is no such live key. */
    async revoke(tenantId: string, id: string): Promise<boolean> {
      const { numUpdatedRows } = await db
        .updateTable('caller_keys')
        .set((eb) => ({ revoked_at: eb.fn('now') }))
        .where('tenant_id', '=', tenantId)
        .where('id', '=', id)
        .where('revoked_at', 'is', null)
        .executeTakeFirstOrThrow()
      return numUpdatedRows > 0n
    }
  }

  function live() {
    return db
      .selectFrom('caller_keys')
      .select(['id', 'tenant_id', 'name', 'scopes', 'created_at'])
      .where('revoked_at', 'is', null)
  }
}

function toKey(row: {
  id: string
  tenant_id: string
  name: string
  scopes: string[]
  created_at: number
}): CallerKey {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    scopes: row.scopes,
    createdAt: row.created_at
  }
}
