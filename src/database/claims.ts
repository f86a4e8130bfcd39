import { type Kysely, sql } from 'kysely'
import type { BookingTables, Claim, ClaimRequest } from '../core/booking-tables.ts'
import { appointment, busyOf, dropExpired, isIn, isLive, range } from './claim-ranges.ts'
import { createFactClaims } from './fact-claims.ts'
import { fromNow, instant } from './instant.ts'
import type { Tables } from './tables.ts'

export function createClaims(db: Kysely<Tables>): BookingTables['claims'] {
  return {
    ...createFactClaims(db),

    async take({ mode, ...claim }) {
      await dropExpired(db, claim.tenantId, claim.hosts, busyOf(claim))
      if (mode === 'all') {
        const taken = await insert(claim, claim.hosts, null)
        return taken.length === claim.hosts.length ? taken : undefined
      }
      for (const host of claim.hosts) {
        const taken = await insert(claim, [host], claim.hosts)
        if (taken.length > 0) return taken
      }
      return claim.hosts.length === 0 ? [] : undefined
    },

    async release(tenantId, ownerId, startTime) {
      const ofAppointment =
        startTime === undefined ? sql`` : sql`and ${appointment.start} = ${instant(startTime)}::timestamptz`
      const { rows } = await sql<{ host: string }>`
        delete from claims where tenant_id = ${tenantId} and owner_id = ${ownerId} ${ofAppointment}
        returning host`.execute(db)
      return rows.map(({ host }) => host)
    },

    async ownersOf(tenantId, session) {
      const { rows } = await sql<{ owner_id: string; is_hold: boolean; is_leaving: boolean }>`
        select owner_id, bool_or(expires_at is not null) as is_hold,
          exists (
            select 1 from bookings where bookings.tenant_id = ${tenantId} and bookings.id = owner_id
              and bookings.status = 'confirmed' and bookings.details #>> '{change,kind}' = 'cancel'
          ) as is_leaving
        from claims
        where tenant_id = ${tenantId} and ${isIn(session)} and ${isLive}
        group by owner_id order by min(id)`.execute(db)
      return rows.map(({ owner_id, is_hold, is_leaving }) => ({
        ownerId: owner_id,
        isHold: is_hold,
        isLeaving: is_leaving
      }))
    }
  }

  async function insert(
    claim: Omit<ClaimRequest, 'mode'>,
    hosts: readonly string[],
    pool: readonly string[] | null
  ): Promise<string[]> {
    const { tenantId, ownerId, session, startTime, endTime, expiresInMs } = claim
    const expiresAt = expiresInMs === undefined ? null : fromNow(expiresInMs)
    // Sorted, so that two who want the same hosts never wait for each other.
    const { rows } = await sql<{ host: string }>`
      insert into claims (tenant_id, host, owner_id, session, busy, start_time, end_time, pool, expires_at)
      select ${tenantId}, host, ${ownerId}, ${session}, ${busyOf(claim)},
        ${instant(startTime)}, ${instant(endTime)}, ${pool && [...pool]}::text[], (${expiresAt})::timestamptz
      from unnest(${[...hosts]}::text[]) as host order by host
      on conflict do nothing returning host`.execute(db)
    return rows.map(({ host }) => host)
  }
}

type Row = {
  host: string
  owner_id: string
  session: string
  start_time: number
  end_time: number
  busy_from: number
  busy_to: number
  left_ms: number | null
}

/**
 * Live claims on any of the hosts that touch the range. Time alone ends the holds among them: the answer holds for
 * `validForMs`.
 */
export async function readClaims(
  db: Kysely<Tables>,
  tenantId: string,
  hosts: readonly string[],
  startTime: number,
  endTime: number
): Promise<{ rows: Claim[]; validForMs: number }> {
  const { rows } = await sql<Row>`
    select host, owner_id, session, ${appointment.start} as start_time, ${appointment.end} as end_time,
      lower(busy) as busy_from, upper(busy) as busy_to,
      (extract(epoch from expires_at - now()) * 1000)::float8 as left_ms
    from claims
    where tenant_id = ${tenantId} and host = any(${[...hosts]}::text[]) and busy && ${range(startTime, endTime)} and ${isLive}`.execute(
    db
  )
  return {
    rows: rows.map(toClaim),
    validForMs: Math.min(...rows.map(({ left_ms }) => left_ms ?? Number.POSITIVE_INFINITY))
  }
}

export async function claimsBetween(...asked: Parameters<typeof readClaims>): Promise<Claim[]> {
  return (await readClaims(...asked)).rows
}

/** Claims that have ended are deleted, so that the index stays at the size of the future. */
export async function sweepClaims(db: Kysely<Tables>): Promise<void> {
  // Whoever is at one of them deletes it himself.
  await sql`delete from claims where id in (
    select id from claims where upper(busy) <= now() for update skip locked)`.execute(db)
  await sql`delete from claims where id in (
    select id from claims where expires_at <= now() for update skip locked)`.execute(db)
}

function toClaim(row: Row): Claim {
  return {
    host: row.host,
    ownerId: row.owner_id,
    session: row.session,
    startTime: row.start_time,
    endTime: row.end_time,
    busyFrom: row.busy_from,
    busyTo: row.busy_to
  }
}
