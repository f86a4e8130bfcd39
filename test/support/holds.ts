import { type Kysely, sql } from 'kysely'
import type { Tables } from '../../src/database/tables.ts'

/** As if the hold had been made longer ago: its time is over, by the database's clock. */
export async function expireHold(db: Kysely<Tables>, id: string): Promise<void> {
  await sql`update holds set expires_at = now() where id = ${id}`.execute(db)
  await sql`update claims set expires_at = now() where owner_id = ${id}`.execute(db)
}
