import { type Kysely, type Selectable, sql } from 'kysely'
import type { BookingTables } from '../core/booking-tables.ts'
import { defaultSettings, type EventTypeSettings } from '../core/settings.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

export function createSettings(db: Kysely<Tables>): BookingTables['settings'] {
  return {
    get: (tenantId, eventType) => findSettings(db, tenantId, eventType),

    async put(tenantId, eventType, settings, at) {
      const values = {
        buffer_before_minutes: settings.bufferBeforeMinutes,
        buffer_after_minutes: settings.bufferAfterMinutes,
        minimum_notice_minutes: settings.minimumNoticeMinutes,
        max_per_day: settings.maxPerDay ?? null,
        refund_policy: settings.refundPolicy,
        updated_at: instant(at)
      }
      await db
        .insertInto('event_type_settings')
        .values({ tenant_id: tenantId, event_type: eventType, ...values })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'event_type']).doUpdateSet(values))
        .execute()
    }
  }
}

/** The defaults where none were set. */
export async function findSettings(
  db: Kysely<Tables>,
  tenantId: string,
  eventType: string
): Promise<EventTypeSettings> {
  const row = await db
    .selectFrom('event_type_settings')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('event_type', '=', eventType)
    .executeTakeFirst()
  return row ? toSettings(row) : defaultSettings
}

export async function listSettings(
  db: Kysely<Tables>,
  tenantId: string
): Promise<ReadonlyMap<string, EventTypeSettings>> {
  const rows = await db
    .selectFrom('event_type_settings')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .execute()
  return new Map(rows.map((row) => [row.event_type, toSettings(row)]))
}

/** Starts of an event type's live bookings and holds in the range, ascending. */
export async function startsBetween(
  db: Kysely<Tables>,
  tenantId: string,
  eventType: string,
  startTime: number,
  endTime: number
): Promise<number[]> {
  const { rows } = await sql<{ start_time: number }>`
    select start_time from (
      select start_time from bookings
      where tenant_id = ${tenantId} and event_type = ${eventType}
        and status in ('pending', 'unknown', 'confirmed', 'needs_attention')
      union all
      select start_time from holds
      where tenant_id = ${tenantId} and event_type = ${eventType} and status = 'active' and expires_at > now()
    ) as live
    where start_time >= ${instant(startTime)}::timestamptz and start_time < ${instant(endTime)}::timestamptz
    order by start_time`.execute(db)
  return rows.map(({ start_time }) => start_time)
}

function toSettings(row: Selectable<Tables['event_type_settings']>): EventTypeSettings {
  return {
    bufferBeforeMinutes: row.buffer_before_minutes,
    bufferAfterMinutes: row.buffer_after_minutes,
    minimumNoticeMinutes: row.minimum_notice_minutes,
    maxPerDay: row.max_per_day ?? undefined,
    refundPolicy: row.refund_policy
  }
}
