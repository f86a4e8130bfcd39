import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { ClaimRequest } from '../core/booking-tables.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

/** Half-open, as the exclusion constraint demands. */
export const range = (startTime: number, endTime: number): RawBuilder<string> =>
  sql`tstzrange(${instant(startTime)}::timestamptz, ${instant(endTime)}::timestamptz, '[)')`

/** The appointment with its buffers. */
export const busyOf = ({
  startTime,
  endTime,
  buffers
}: Pick<ClaimRequest, 'startTime' | 'endTime' | 'buffers'>): RawBuilder<string> =>
  range(startTime - (buffers?.beforeMs ?? 0), endTime + (buffers?.afterMs ?? 0))

/** Of the appointment; the version before claimed nothing besides it and did not write its times. */
export const appointment = {
  start: sql<number>`coalesce(start_time, lower(busy))`,
  end: sql<number>`coalesce(end_time, upper(busy))`
}

/** Of a session that others may share; this is what is indexed. */
export const isIn = (session: string) => sql<boolean>`nullif(session, owner_id) = ${session}`

export const isLive = sql<boolean>`(expires_at is null or expires_at > now())`

/** Removes what is over and would be in the way. In one order, so that two who do it never wait for each other. */
export async function dropExpired(
  db: Kysely<Tables>,
  tenantId: string,
  hosts: readonly string[],
  busy: RawBuilder<string>
): Promise<void> {
  await sql`delete from claims where id in (
    select id from claims where tenant_id = ${tenantId} and host = any(${[...hosts]}::text[])
      and busy && ${busy} and expires_at <= now()
    order by id for update)`.execute(db)
}
