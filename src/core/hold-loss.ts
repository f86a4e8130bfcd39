import type { BookingTables } from './booking-tables.ts'
import { assertHoldMay, type Hold } from './hold.ts'

/** Of a hold that is locked: it ends as `lost`, and other services are told. */
export async function recordLost(
  { holds, events }: Pick<BookingTables, 'holds' | 'events'>,
  hold: Hold,
  at: number
): Promise<void> {
  assertHoldMay(hold, 'lost')
  await holds.setStatus(hold, 'lost', at)
  const { tenantId, id: subject } = hold
  const data = { hold: { ...hold, status: 'lost' as const, updatedAt: at } }
  await events.add({ tenantId, type: 'hold.lost', subject, at, data })
}
