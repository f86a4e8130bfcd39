import type { BookingReads } from '../../src/core/booking-tables.ts'
import { findBooking, listBookings, uncountedBetween } from '../../src/database/bookings.ts'
import { claimsBetween } from '../../src/database/claims.ts'
import { findHold } from '../../src/database/holds.ts'
import { findSeats } from '../../src/database/limits.ts'
import { findSettings, listSettings, startsBetween } from '../../src/database/settings.ts'
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
    claimsBetween: (...range) => claimsBetween(db, ...range),
    startsBetween: (...range) => startsBetween(db, ...range),
    uncountedBetween: (...range) => uncountedBetween(db, ...range),
    settingsOf: (tenantId, eventType) => findSettings(db, tenantId, eventType),
    allSettings: (tenantId) => listSettings(db, tenantId),
    findSeats: (tenantId, session) => findSeats(db, tenantId, session),
    findHold: (tenantId, id) => findHold(db, tenantId, id)
  }
  return {
    db,
    reads,
    transact: <T>(work: (tables: ReturnType<typeof tablesOf>) => Promise<T>) =>
      transaction((tx) => work(tablesOf(tx)))
  }
}
