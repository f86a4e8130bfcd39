import type { Kysely } from 'kysely'
import type { BookingTables, InviteeLink } from '../core/booking-tables.ts'
import { TransactionConflict } from './failures.ts'
import type { Tables } from './tables.ts'

export function createInvitees(db: Kysely<Tables>): BookingTables['invitees'] {
  return {
    async find(tenantId, uris) {
      const rows = await db
        .selectFrom('invitees')
        .select(['uri', 'booking_id', 'state'])
        .where('tenant_id', '=', tenantId)
        .where('uri', 'in', uris)
        .execute()
      return rows.map(({ uri, booking_id, state }) => ({
        uri,
        bookingId: booking_id,
        state: state as InviteeLink['state']
      }))
    },

    async put(tenantId, { uri, bookingId, state }) {
      await db
        .insertInto('invitees')
        .values({ tenant_id: tenantId, uri, booking_id: bookingId, state })
        .onConflict((conflict) =>
          // An invitee never changes its booking; two first reports at once must not both win.
          conflict
            .columns(['tenant_id', 'uri'])
            .doUpdateSet({ state })
            .where('invitees.booking_id', '=', bookingId)
        )
        .returning('uri')
        .executeTakeFirstOrThrow(() => new TransactionConflict('the invitee belongs to another booking'))
    },

    async reassign(tenantId, from, to) {
      await db
        .updateTable('invitees')
        .set({ booking_id: to })
        .where('tenant_id', '=', tenantId)
        .where('booking_id', '=', from)
        .execute()
    }
  }
}
