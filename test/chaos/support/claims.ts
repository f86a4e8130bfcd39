import assert from 'node:assert/strict'
import { sql } from 'kysely'
import type { Stage } from './stage.ts'

/** No two sessions have the same time of a host. On the embedded engine the service is killed for the look. */
export async function assertNoOverlap(stage: Stage): Promise<void> {
  const overlaps = await stage.lookIntoDatabase(
    async (db) =>
      await sql<{ host: string; one: string; other: string }>`
        select one.host, one.owner_id || ' ' || one.busy as one, other.owner_id || ' ' || other.busy as other
        from claims one join claims other
          on other.tenant_id = one.tenant_id and other.host = one.host and other.busy && one.busy
          and other.session <> one.session and other.id > one.id
        where (one.expires_at is null or one.expires_at > now())
          and (other.expires_at is null or other.expires_at > now())`.execute(db)
  )
  assert.deepEqual(overlaps.rows, [], 'no two have the same time of a host')
}

/** Time is taken for what is alive, and for nothing else: each booking's its own, no hold is left. */
export async function assertNothingLeft(stage: Stage): Promise<void> {
  const { claims, live, holds, open } = await stage.lookIntoDatabase(async (db) => {
    const text = async (query: ReturnType<typeof sql<{ text: string }>>) =>
      (await query.execute(db)).rows.map(({ text }) => text).sort()
    return {
      claims: await text(sql`select owner_id || ' ' || start_time as text from claims`),
      live: await text(sql`select id || ' ' || start_time as text from bookings where status = 'confirmed'`),
      holds: await text(
        sql`select id || ' ' || status as text from holds where status not in ('used', 'released')`
      ),
      open: await text(sql`select id || ' ' || status as text from bookings where resolve_at is not null`)
    }
  })
  assert.deepEqual(claims, live, 'each booking has its time, and nobody else has any')
  assert.deepEqual(holds, [], 'no hold is left')
  assert.deepEqual(open, [], 'nothing is left to find out')
}
