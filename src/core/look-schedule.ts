import type { Charge } from './charge.ts'
import type { Refund } from './refund.ts'
import { isReserving } from './refund.ts'
import type { RefundTables } from './refund-tables.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
/** After so many looks in a row that changed nothing; then daily. */
const waitsMs = [minuteMs, 5 * minuteMs, hourMs] as const
/** Banks take weeks; then only a webhook or a reconciliation tells. */
const patienceMs = 35 * dayMs
/** What has succeeded may still be sent back. */
const afterSuccessMs = 5 * dayMs

type Tables = Pick<RefundTables, 'charges'>
type Which = Pick<Charge, 'tenantId' | 'id'>
type Known = Pick<Refund, 'status' | 'createdAt' | 'updatedAt'>

/** To be called with every outcome of Stripe's that was not learned by a look: it is confirmed by one. */
export const lookSoon = ({ charges }: Tables, { tenantId, id }: Which): Promise<void> =>
  charges.schedule(tenantId, id, minuteMs, 0)

/** What we know of the charge is not the whole. */
export const lookNow = ({ charges }: Tables, { tenantId, id }: Which): Promise<void> =>
  charges.schedule(tenantId, id, 0, 0)

/** Milliseconds until the charge is to be read again; undefined where nothing is expected of it any more. */
export function nextLookMs(
  { dispute, looks, refunds }: Pick<Charge, 'dispute' | 'looks'> & { refunds: readonly Known[] },
  now: number
): number | undefined {
  const isYoung = ({ createdAt }: Known) => now - createdAt < patienceMs
  if (refunds.some((refund) => isUnderWay(refund) && isYoung(refund))) return waitsMs[looks] ?? dayMs
  const mayFail = refunds.some(
    (refund) => refund.status === 'succeeded' && now - refund.updatedAt < afterSuccessMs
  )
  return mayFail || dispute ? dayMs : undefined
}

/** Whether Stripe will have another word on it. */
export function isUnderWay(refund: Pick<Refund, 'status'>): boolean {
  return isReserving(refund) && refund.status !== 'succeeded' && refund.status !== 'awaiting_approval'
}
