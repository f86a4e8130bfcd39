import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

/** What should not happen and did, ever since and on every replica. */
export async function countIncidents(
  db: Kysely<Tables>
): Promise<{ bookingOverlaps: number; holdsLost: number; secondPosts: number }> {
  const { rows } = await sql<{ overlaps: number; lost: number; again: number }>`
    select (select count(*)::int from booking_timeline where type = 'overlap_found') as overlaps,
      (select count(*)::int from holds where status = 'lost') as lost,
      (select count(*)::int from booking_timeline where type = 'submitted_again') as again`.execute(db)
  return {
    bookingOverlaps: rows[0]?.overlaps ?? 0,
    holdsLost: rows[0]?.lost ?? 0,
    secondPosts: rows[0]?.again ?? 0
  }
}
