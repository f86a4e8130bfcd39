import { type Booking, isSought } from './booking.ts'
import type { BookingTables, ClaimInTheWay, ClaimRequest } from './booking-tables.ts'
import { isHoldId } from './claim-timeline.ts'
import { recordLost } from './hold-loss.ts'
import { isPosting, isRescheduling } from './rescheduling.ts'

type Fact = Omit<ClaimRequest, 'mode'>

/**
 * Takes a fact's time, whoever has it: holds in its way are lost, what any host of a pool would do for goes to another
 * one, and what Calendly has not confirmed makes room. Answers with the bookings that stay in the way; of their time
 * the fact has what is free. `replaced`: start of the appointment that the owner claims so far and gives back.
 */
export async function takeAnyway(
  tables: BookingTables,
  fact: Fact,
  at: number,
  replaced?: number
): Promise<ClaimInTheWay[]> {
  const { claims } = tables
  const isSimple = replaced === undefined && (await claims.inTheWay(fact)).length === 0
  if (isSimple && (await claims.takeFree(fact))) return []
  // Two who push each other's claims aside would wait for each other.
  await claims.queue(fact.tenantId)
  let others = await lockHoldsInTheWay(tables, fact)
  if (replaced !== undefined) await claims.release(fact.tenantId, fact.ownerId, replaced)
  const staying = new Set<string>()
  for (;;) {
    for (const other of others) {
      if (!(await makeWay(tables, other, fact, at))) staying.add(other.ownerId)
    }
    if (await claims.takeFree(fact)) return []
    others = await claims.inTheWay(fact)
    // Somebody may have slipped in; whoever comes now waits for the end of this transaction.
    if (others.every(({ ownerId }) => staying.has(ownerId))) return others
  }
}

/** The hold ends as `lost`. Of one that is used or over nothing changes. */
export async function loseHold(
  tables: BookingTables,
  tenantId: string,
  holdId: string,
  at: number
): Promise<void> {
  const hold = await tables.holds.lock(tenantId, holdId)
  await tables.claims.release(tenantId, holdId)
  if (hold?.status === 'active' && !hold.isExpired) await recordLost(tables, hold, at)
}

/** A fact has Calendly's word; all else is what we guess or hope. */
async function makeWay(
  tables: BookingTables,
  other: ClaimInTheWay,
  { tenantId, ownerId: factId, hosts }: Fact,
  at: number
): Promise<boolean> {
  const { ownerId, isPool, startTime } = other
  if (isPool && (await tables.claims.moveAway(tenantId, other, hosts))) return true
  if (isHoldId(ownerId)) {
    await loseHold(tables, tenantId, ownerId, at)
    return true
  }
  if (isPool) return true
  const booking = await tables.bookings.lock(tenantId, ownerId)
  if (booking && isConfirmedAt(booking, startTime)) return false
  await tables.claims.release(tenantId, ownerId, startTime)
  if (booking) await tables.timeline.add(booking, { at, type: 'made_way', detail: { booking: factId } })
  return true
}

/**
 * Whether Calendly has it there. Of what it was only asked for it would say that the time is taken; what is with a
 * human stays.
 */
function isConfirmedAt(booking: Booking, startTime: number): boolean {
  if (isSought(booking)) return false
  if (!isRescheduling(booking) || !isPosting(booking.change)) return true
  const { cancelFirst, to } = booking.change
  return !cancelFirst && startTime !== to.startTime
}

/** Before anything is claimed: whoever uses or releases one of them right now might wait for that. */
async function lockHoldsInTheWay(tables: BookingTables, fact: Fact): Promise<ClaimInTheWay[]> {
  const locked = new Set<string>()
  for (;;) {
    const others = await tables.claims.inTheWay(fact)
    const holds = others.filter(({ ownerId }) => isHoldId(ownerId) && !locked.has(ownerId))
    if (holds.length === 0) return others
    for (const { ownerId } of holds) {
      await tables.holds.lock(fact.tenantId, ownerId)
      locked.add(ownerId)
    }
  }
}
