import { type Kysely, type Selectable, sql } from 'kysely'
import type { BookingTables } from '../core/booking-tables.ts'
import type { Hold, HoldStatus } from '../core/hold.ts'
import { fromNow, instant } from './instant.ts'
import type { Tables } from './tables.ts'

type Row = Selectable<Tables['holds']> & { is_expired: boolean }
/** What has a column of its own is not kept twice. */
type Details = Pick<Hold, 'isGroup' | 'hosts' | 'mode' | 'buffers'>

const isExpired = sql<boolean>`expires_at <= now()`.as('is_expired')
const leftMs = sql<number>`(extract(epoch from expires_at - now()) * 1000)::float8`.as('left_ms')

export function createHolds(db: Kysely<Tables>): BookingTables['holds'] {
  return {
    async insert(hold, ttlMs) {
      const { isGroup, hosts, mode, buffers } = hold
      await db
        .insertInto('holds')
        .values({
          id: hold.id,
          tenant_id: hold.tenantId,
          caller: hold.caller,
          status: hold.status,
          event_type: hold.eventType,
          start_time: instant(hold.startTime),
          end_time: instant(hold.endTime),
          details: JSON.stringify({ isGroup, hosts, mode, buffers } satisfies Details),
          booking_id: hold.bookingId ?? null,
          expires_at: fromNow(ttlMs),
          created_at: instant(hold.createdAt),
          updated_at: instant(hold.updatedAt)
        })
        .execute()
    },

    async lock(tenantId, id) {
      const row = await db
        .selectFrom('holds')
        .selectAll()
        .select([isExpired, leftMs])
        .where('tenant_id', '=', tenantId)
        .where('id', '=', id)
        .forUpdate()
        .executeTakeFirst()
      return row && { ...toHold(row), isExpired: row.is_expired, leftMs: row.left_ms }
    },

    async setStatus({ tenantId, id }, status, at, bookingId) {
      await db
        .updateTable('holds')
        .set({ status, updated_at: instant(at), ...(bookingId !== undefined && { booking_id: bookingId }) })
        .where('tenant_id', '=', tenantId)
        .where('id', '=', id)
        .execute()
    }
  }
}

/** With `status` as it is now. */
export async function findHold(db: Kysely<Tables>, tenantId: string, id: string): Promise<Hold | undefined> {
  const row = await db
    .selectFrom('holds')
    .selectAll()
    .select(isExpired)
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) return undefined
  const hold = toHold(row)
  return hold.status === 'active' && row.is_expired ? { ...hold, status: 'expired' } : hold
}

/** Whose time is over is written down as expired. Of one that is in use right now the user decides. */
export async function sweepHolds(db: Kysely<Tables>): Promise<void> {
  await sql`update holds set status = 'expired', updated_at = now() where id in (
    select id from holds where status = 'active' and expires_at <= now() for update skip locked)`.execute(db)
}

function toHold(row: Row): Hold {
  return {
    ...(row.details as Details),
    id: row.id,
    tenantId: row.tenant_id,
    caller: row.caller,
    status: row.status as HoldStatus,
    eventType: row.event_type,
    startTime: row.start_time,
    endTime: row.end_time,
    bookingId: row.booking_id ?? undefined,
    expiresAt: row.expires_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at
  }
}
