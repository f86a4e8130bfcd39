import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { BookingTables, Claim, ClaimRequest } from '../core/booking-tables.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

/** Half-open, as the exclusion constraint demands. */
const range = (startTime: number, endTime: number): RawBuilder<string> =>
  sql`tstzrange(${instant(startTime)}::timestamptz, ${instant(endTime)}::timestamptz, '[)')`

export function createClaims(db: Kysely<Tables>): BookingTables['claims'] {
  return {
    async take({ mode, ...claim }) {
      await dropExpired(claim)
      if (mode === 'all') {
        const taken = await insert(claim, claim.hosts)
        return taken.length === claim.hosts.length ? taken : undefined
      }
      for (const host of claim.hosts) {
        const taken = await insert(claim, [host])
        if (taken.length > 0) return taken
      }
      return claim.hosts.length === 0 ? [] : undefined
    },

    async takeFree(claim) {
      await dropExpired(claim)
      let isWhole = true
      for (const host of claim.hosts.toSorted()) {
        let outcome = await insertFree(claim, host)
        // Somebody took a part between the look and the insert: what they left of it is still to be had.
        while (!outcome.is_settled) outcome = await insertFree(claim, host)
        isWhole &&= outcome.is_whole
      }
      return isWhole
    },

    async release(tenantId, ownerId) {
      await db
        .deleteFrom('claims')
        .where('tenant_id', '=', tenantId)
        .where('owner_id', '=', ownerId)
        .execute()
    }
  }

  async function insert(claim: Omit<ClaimRequest, 'mode'>, hosts: readonly string[]): Promise<string[]> {
    const { tenantId, ownerId, session, startTime, endTime } = claim
    // Sorted, so that two who want the same hosts never wait for each other.
    const { rows } = await sql<{ host: string }>`
      insert into claims (tenant_id, host, owner_id, session, busy)
      select ${tenantId}, host, ${ownerId}, ${session}, ${range(startTime, endTime)}
      from unnest(${[...hosts]}::text[]) as host order by host
      on conflict do nothing returning host`.execute(db)
    return rows.map(({ host }) => host)
  }

  /** Settled once every free part is the owner's; whole when nothing of the range is somebody else's. */
  async function insertFree(claim: Omit<ClaimRequest, 'mode'>, host: string) {
    const { tenantId, ownerId, session, startTime, endTime } = claim
    const { rows } = await sql<{ is_settled: boolean; is_whole: boolean }>`
      with wanted as (select ${range(startTime, endTime)} as busy),
      known as (
        select
          coalesce(range_agg(claims.busy) filter (where session <> ${session}), '{}') as others,
          coalesce(range_agg(claims.busy) filter (where owner_id = ${ownerId}), '{}') as own
        from claims, wanted
        where tenant_id = ${tenantId} and host = ${host} and claims.busy && wanted.busy),
      parts as (select unnest(tstzmultirange(wanted.busy) - others - own) as busy from wanted, known),
      inserted as (
        insert into claims (tenant_id, host, owner_id, session, busy)
        select ${tenantId}, ${host}, ${ownerId}, ${session}, busy from parts
        on conflict do nothing returning id)
      select (select count(*) from inserted) = (select count(*) from parts) as is_settled,
        isempty(others) as is_whole
      from known`.execute(db)
    return rows[0] ?? { is_settled: true, is_whole: false }
  }

  async function dropExpired({ tenantId, hosts, startTime, endTime }: Omit<ClaimRequest, 'mode'>) {
    await sql`delete from claims where tenant_id = ${tenantId} and host = any(${[...hosts]}::text[])
      and busy && ${range(startTime, endTime)} and expires_at <= now()`.execute(db)
  }
}

/** Live claims on any of the hosts that touch the range. */
export async function claimsBetween(
  db: Kysely<Tables>,
  tenantId: string,
  hosts: readonly string[],
  startTime: number,
  endTime: number
): Promise<Claim[]> {
  const { rows } = await sql<{
    host: string
    owner_id: string
    session: string
    start_time: number
    end_time: number
  }>`
    select host, owner_id, session, lower(busy) as start_time, upper(busy) as end_time from claims
    where tenant_id = ${tenantId} and host = any(${[...hosts]}::text[])
      and busy && ${range(startTime, endTime)} and (expires_at is null or expires_at > now())`.execute(db)
  return rows.map(({ host, owner_id, session, start_time, end_time }) => ({
    host,
    ownerId: owner_id,
    session,
    startTime: start_time,
    endTime: end_time
  }))
}

/** Claims that have ended are deleted, so that the index stays at the size of the future. */
export async function sweepClaims(db: Kysely<Tables>): Promise<void> {
  await sql`delete from claims where upper(busy) <= now() or expires_at <= now()`.execute(db)
}
