import type { Charge } from './charge.ts'
import { noteDispute } from './disputes.ts'
import { lookNow } from './look-schedule.ts'
import type { ChargeFact } from './payments.ts'
import type { RefundTables } from './refund-tables.ts'

export type Opened = {
  /** Locked. */
  charge: Charge
  isNew: boolean
  before: Charge | undefined
  /** Whether something was captured or disputed that was not known. */
  isNews: boolean
}

type Owner = { tenantId: string; bookingId: string }
type Moment = { lookedAt: number; now: number }

/** As `recordCharge`. What was refunded in Stripe itself is left to a look, which is due at once. */
export async function openCharge(
  tables: RefundTables,
  owner: Owner,
  fact: ChargeFact,
  at: Moment
): Promise<Opened> {
  const opened = await recordCharge(tables, owner, fact, at)
  const { charge } = opened
  if (charge.refunded > charge.reserved + charge.elsewhere) await lookNow(tables, charge)
  return opened
}

/**
 * Writes down a charge as Stripe had it when it was asked at `lookedAt`: what was captured opens its ledger, and a dispute
 * is told of.
 */
export async function recordCharge(
  tables: RefundTables,
  { tenantId, bookingId }: Owner,
  fact: ChargeFact,
  { lookedAt, now }: Moment
): Promise<Opened> {
  const { charge, isNew, before } = await tables.charges.put(tenantId, bookingId, fact, { lookedAt, now })
  const captured = charge.captured - (before?.captured ?? 0)
  if (captured !== 0) {
    const [from, to] =
      captured > 0 ? (['captured', 'refundable'] as const) : (['refundable', 'captured'] as const)
    const { id, currency } = charge
    await tables.ledger.post({
      tenantId,
      charge: id,
      from,
      to,
      amount: Math.abs(captured),
      currency,
      at: now
    })
  }
  const isDisputeNews = await noteDispute(tables, charge, before, now)
  return { charge, isNew, before, isNews: isDisputeNews || captured !== 0 }
}

/** What is left of it, where Stripe knows of refunds that have not been looked at yet. */
export function withUnseen(charge: Charge): Charge {
  return { ...charge, elsewhere: Math.max(charge.elsewhere, charge.refunded - charge.reserved) }
}
