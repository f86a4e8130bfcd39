import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

/** Lets a charge be read anew from now on. False where it is not one of ours. */
export async function hintCharge(db: Kysely<Tables>, tenantId: string, charge: string): Promise<boolean> {
  const { rows } = await sql`
    update charges set look_at = clock_timestamp() where tenant_id = ${tenantId} and id = ${charge}
    returning id`.execute(db)
  return rows.length > 0
}
