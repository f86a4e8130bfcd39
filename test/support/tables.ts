import type { BookingReads } from '../../src/core/booking-tables.ts'
import { findBooking, listBookings } from '../../src/database/bookings.ts'
import { claimsBetween } from '../../src/database/claims.ts'
import { readTimeline } from '../../src/database/timeline.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { openTestEngine, type Test } from './database.ts'

/** An embedded database as the core sees it. */
export async function openTables(t: Test) {
  const { db, transaction } = await openTestEngine(t)
  const reads: BookingReads = {
    find: (tenantId, id) => findBooking(db, tenantId, id),
    list: (tenantId, filter) => listBookings(db, tenantId, filter),
    timeline: (tenantId, id) => readTimeline(db, tenantId, id),
    claimsBetween: (...range) => claimsBetween(db, ...range)
  }
  return {
    db,
    reads,
    transact: <T>(work: (tables: ReturnType<typeof tablesOf>) => Promise<T>) =>
      transaction((tx) => work(tablesOf(tx)))
  }
}
