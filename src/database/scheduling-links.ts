import type { Kysely } from 'kysely'
import type { BookingTables } from '../core/booking-tables.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

export function createSchedulingLinks(db: Kysely<Tables>): BookingTables['links'] {
  return {
    async find(tenantId, id) {
      const row = await db
        .selectFrom('scheduling_links')
        .select('session_id')
        .where('tenant_id', '=', tenantId)
        .where('id', '=', id)
        .executeTakeFirst()
      return row && { sessionId: row.session_id ?? undefined }
    },

    async insert(link) {
      await db
        .insertInto('scheduling_links')
        .values({
          id: link.id,
          tenant_id: link.tenantId,
          event_type: link.eventType,
          session_id: link.sessionId ?? null,
          booking_url: link.bookingUrl,
          created_at: instant(link.createdAt)
        })
        .execute()
    }
  }
}
