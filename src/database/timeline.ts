import type { Kysely } from 'kysely'
import type { BookingTables, TimelineEntry } from '../core/booking-tables.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

export function createTimeline(db: Kysely<Tables>): BookingTables['timeline'] {
  return {
    async add({ tenantId, id }, { at, type, detail }) {
      await db
        .insertInto('booking_timeline')
        .values({
          tenant_id: tenantId,
          booking_id: id,
          at: instant(at),
          type,
          detail: JSON.stringify(detail)
        })
        .execute()
    }
  }
}

/** In the order in which it was written. */
export async function readTimeline(
  db: Kysely<Tables>,
  tenantId: string,
  bookingId: string
): Promise<TimelineEntry[]> {
  const rows = await db
    .selectFrom('booking_timeline')
    .select(['at', 'type', 'detail'])
    .where('tenant_id', '=', tenantId)
    .where('booking_id', '=', bookingId)
    .orderBy('id')
    .execute()
  return rows.map(({ at, type, detail }) => ({ at, type, detail: detail as TimelineEntry['detail'] }))
}
