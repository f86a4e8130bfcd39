import { type Kysely, sql } from 'kysely'
import type { BookingTables, ClaimRequest } from '../core/booking-tables.ts'
import { appointment, busyOf, dropExpired, isLive } from './claim-ranges.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

type FactClaims = Pick<
  BookingTables['claims'],
  'takeFree' | 'inTheWay' | 'own' | 'settle' | 'moveAway' | 'queue'
>
type Fact = Omit<ClaimRequest, 'mode'>

/** Claims for what Calendly reports: nobody can refuse it, so others make room. */
export function createFactClaims(db: Kysely<Tables>): FactClaims {
  return {
    async takeFree(fact) {
      await dropExpired(db, fact.tenantId, fact.hosts, busyOf(fact))
      let isWhole = true
      for (const host of fact.hosts.toSorted()) {
        let outcome = await insertFree(db, fact, host)
        // Somebody took a part between the look and the insert: what they left of it is still to be had.
        while (!outcome.is_settled) outcome = await insertFree(db, fact, host)
        isWhole &&= outcome.is_whole
      }
      return isWhole
    },

    async inTheWay(fact) {
      const { rows } = await sql<{ owner_id: string; is_pool: boolean; starts: number; ends: number }>`
        select owner_id, ${appointment.start} as starts, ${appointment.end} as ends,
          bool_or(pool is not null) as is_pool
        from claims
        where tenant_id = ${fact.tenantId} and host = any(${[...fact.hosts]}::text[])
          and busy && ${busyOf(fact)} and session <> ${fact.session} and owner_id <> ${fact.ownerId} and ${isLive}
        group by owner_id, starts, ends order by owner_id, starts`.execute(db)
      return rows.map(({ owner_id, is_pool, starts, ends }) => ({
        ownerId: owner_id,
        isPool: is_pool,
        startTime: starts,
        endTime: ends
      }))
    },

    async own(tenantId, ownerId, startTime) {
      const { rows } = await sql<{ host: string; is_pool: boolean }>`
        select host, bool_or(pool is not null) as is_pool from claims
        where ${belongsTo(tenantId, ownerId, startTime)} group by host order by host`.execute(db)
      return rows.map(({ host, is_pool }) => ({ host, isPool: is_pool }))
    },

    async settle(tenantId, ownerId, startTime) {
      const { rows } = await sql`update claims set pool = null
        where ${belongsTo(tenantId, ownerId, startTime)} returning id`.execute(db)
      return rows.length > 0
    },

    async moveAway(tenantId, { ownerId, startTime }, hosts) {
      const { rows } = await sql<{ id: number; pool: string[] }>`
        select id, pool from claims where ${belongsTo(tenantId, ownerId, startTime)}
          and host = any(${[...hosts]}::text[]) and pool is not null
        order by id for update`.execute(db)
      let isMoved = true
      for (const { id, pool } of rows) {
        const others = pool.filter((host) => !hosts.includes(host))
        isMoved = (await copyToFirstFree(db, tenantId, id, others)) && isMoved
        await sql`delete from claims where id = ${id}`.execute(db)
      }
      return isMoved
    },

    async queue(tenantId) {
      await sql`select pg_advisory_xact_lock(hashtextextended(${`claims of ${tenantId}`}, 0))`.execute(db)
    }
  }
}

const belongsTo = (tenantId: string, ownerId: string, startTime: number) =>
  sql`tenant_id = ${tenantId} and owner_id = ${ownerId}
    and ${appointment.start} = ${instant(startTime)}::timestamptz`

/** Settled once every free part is the owner's; whole when nothing of the range is somebody else's. */
async function insertFree(db: Kysely<Tables>, fact: Fact, host: string) {
  const { tenantId, ownerId, session, startTime, endTime } = fact
  const { rows } = await sql<{ is_settled: boolean; is_whole: boolean }>`
    with wanted as (select ${busyOf(fact)} as span),
    known as (
      select
        coalesce(range_agg(busy) filter (where session <> ${session}), '{}') as others,
        coalesce(range_agg(busy)
          filter (where ${belongsTo(tenantId, ownerId, startTime)} and session = ${session}), '{}') as own
      from claims, wanted
      where tenant_id = ${tenantId} and host = ${host} and busy && span),
    parts as (select unnest(tstzmultirange(span) - others - own) as busy from wanted, known),
    inserted as (
      insert into claims (tenant_id, host, owner_id, session, busy, start_time, end_time)
      select ${tenantId}, ${host}, ${ownerId}, ${session}, busy, ${instant(startTime)}, ${instant(endTime)}
      from parts
      on conflict do nothing returning id)
    select (select count(*) from inserted) = (select count(*) from parts) as is_settled,
      isempty(others) as is_whole
    from known`.execute(db)
  return rows[0] ?? { is_settled: true, is_whole: false }
}

/** A second claim like the one with this id, on another host. False when none is free. */
async function copyToFirstFree(
  db: Kysely<Tables>,
  tenantId: string,
  id: number,
  hosts: readonly string[]
): Promise<boolean> {
  await dropExpired(db, tenantId, hosts, sql`(select busy from claims where id = ${id})`)
  for (const host of hosts) {
    const { rows } = await sql`
      insert into claims (tenant_id, host, owner_id, session, busy, start_time, end_time, pool, expires_at)
      select tenant_id, ${host}, owner_id, session, busy, start_time, end_time, pool, expires_at
      from claims where id = ${id}
      on conflict do nothing returning id`.execute(db)
    if (rows.length > 0) return true
  }
  return false
}
