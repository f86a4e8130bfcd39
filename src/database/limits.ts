import { type Kysely, sql } from 'kysely'
import type { BookingTables } from '../core/booking-tables.ts'
import { isIn } from './claim-ranges.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

/** Seats of group sessions. */
export function createSessions(db: Kysely<Tables>): BookingTables['sessions'] {
  return {
    async lock({ tenantId, session, limit = null, remaining = null, endsAt }) {
      const { rows } = await sql<{ seats: number }>`
        insert into sessions (tenant_id, session, seats, is_told, ends_at)
        select ${tenantId}, ${session}, coalesce(${limit}::int, ${remaining}::int + count(distinct bookings.id)),
          ${limit !== null}, ${instant(endsAt)}::timestamptz
        from claims join bookings on bookings.id = owner_id and bookings.tenant_id = ${tenantId}
        where claims.tenant_id = ${tenantId} and ${isIn(session)} and status = 'confirmed'
        on conflict (tenant_id, session) do update set seats = greatest(sessions.seats, ${remaining}::int)
        returning seats`.execute(db)
      return rows[0]?.seats ?? 0
    },

    async put({ tenantId, session, seats, endsAt }) {
      const known = await sql`select from sessions
        where tenant_id = ${tenantId} and session = ${session} and seats = ${seats} and is_told`.execute(db)
      if (known.rows.length > 0) return false
      await sql`insert into sessions (tenant_id, session, seats, is_told, ends_at)
        values (${tenantId}, ${session}, ${seats}, true, ${instant(endsAt)}::timestamptz)
        on conflict (tenant_id, session) do update set seats = excluded.seats, is_told = true`.execute(db)
      return true
    },

    async lockKnown(tenantId, session) {
      const { rows } = await sql<{ seats: number }>`
        select seats from sessions where tenant_id = ${tenantId} and session = ${session} for update`.execute(
        db
      )
      return rows[0]?.seats
    }
  }
}

/** Of a group session, once Calendly's event has told. */
export async function findSeats(
  db: Kysely<Tables>,
  tenantId: string,
  session: string
): Promise<number | undefined> {
  const { rows } = await sql<{ seats: number }>`
    select seats from sessions where tenant_id = ${tenantId} and session = ${session} and is_told`.execute(db)
  return rows[0]?.seats
}

/** Places in the days of event types that take only so many. */
export function createDays(db: Kysely<Tables>): BookingTables['days'] {
  return {
    async lockAndCount({ tenantId, eventType, startsAt, endsAt, except }) {
      const from = sql`${instant(startsAt)}::timestamptz`
      const to = sql`${instant(endsAt)}::timestamptz`
      await sql`insert into event_type_days (tenant_id, event_type, starts_at)
        values (${tenantId}, ${eventType}, ${from})
        on conflict (tenant_id, event_type, starts_at) do update set starts_at = excluded.starts_at`.execute(
        db
      )
      // A statement of its own: it sees what those have written who were waited for. A booking that is about to
      // move counts where it is and where it goes.
      const { rows } = await sql<{ count: number }>`
        select count(distinct id)::int as count from (
          select id from bookings
          where tenant_id = ${tenantId} and event_type = ${eventType}
            and status in ('pending', 'unknown', 'confirmed', 'needs_attention')
            and start_time >= ${from} and start_time < ${to}
          union all
          select id from bookings
          where tenant_id = ${tenantId} and event_type = ${eventType} and resolve_at is not null
            and details #>> '{change,kind}' = 'reschedule'
            and (details #>> '{change,to,startTime}')::float8 >= ${startsAt}
            and (details #>> '{change,to,startTime}')::float8 < ${endsAt}
          union all
          select id from holds
          where tenant_id = ${tenantId} and event_type = ${eventType} and status = 'active' and expires_at > now()
            and start_time >= ${from} and start_time < ${to}
        ) as live
        where id <> all(${[...except]}::text[])`.execute(db)
      return rows[0]?.count ?? 0
    }
  }
}

/** What has ended needs no row to queue at. */
export async function sweepLimits(db: Kysely<Tables>): Promise<void> {
  await sql`delete from sessions where ends_at <= now()`.execute(db)
  await sql`delete from event_type_days where starts_at <= now() - interval '2 days'`.execute(db)
}
