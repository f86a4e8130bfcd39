import type { Booking } from './booking.ts'
import { revise } from './booking-changes.ts'
import { withCharge } from './booking-payment.ts'
import type { Charge } from './charge.ts'
import { recordCharge } from './charges.ts'
import { nextLookMs } from './look-schedule.ts'
import type { ChargeFact, StripeRefundFact } from './payments.ts'
import { canBecome, type Refund } from './refund.ts'
import { applyStripeRefund, importExternal } from './refund-recording.ts'
import type { RefundTables } from './refund-tables.ts'
import type { System } from './system.ts'

/** What a look found to be otherwise at Stripe. */
export type LookChange = {
  kind: 'missing_refund' | 'refund_differs' | 'charge_differs' | 'unknown_at_stripe'
  bookingId: string
  charge: string
  stripeRefund?: string | undefined
  detail?: string | undefined
  repaired: boolean
}

type Context = {
  /** Locked, and none a part of another. */
  bookings: { owner: Booking; others: readonly Booking[] }
  /** As it was before the look; locked. */
  charge: Charge
  ours: readonly Refund[]
  stripe: { fact: ChargeFact; refunds: readonly StripeRefundFact[]; lookedAt: number }
  system: Pick<System, 'now' | 'id'>
  now: number
  log: { error: (fields: object, phrase: string) => void }
}

/** Writes down whatever of a charge and its refunds is otherwise at Stripe, and when to look again. */
export async function applyLook(tables: RefundTables, context: Context): Promise<LookChange[]> {
  const { bookings, stripe, now } = context
  const before = context.charge
  const { tenantId, id } = before
  const owner = { tenantId, bookingId: bookings.owner.id }
  const at = { lookedAt: stripe.lookedAt, now }
  const { charge, isNews } = await recordCharge(tables, owner, stripe.fact, at)
  const changes = isNews ? [about(context, 'charge_differs')] : []
  const known: Refund[] = []
  for (const fact of stripe.refunds) {
    // Each of ours is one of Stripe's: what else comes under its name is another.
    const ours = context.ours.filter((refund) => !known.some(({ id }) => id === refund.id))
    const { refund, change } = await applyRefund(tables, fact, charge, { ...context, ours })
    known.push(refund)
    if (change) changes.push(change)
  }
  const others = context.ours.filter((refund) => !known.some(({ id }) => id === refund.id))
  changes.push(...others.filter(isMissing).map((refund) => about(context, 'unknown_at_stripe', refund)))

  const refunds = [...known, ...others]
  await reviseBookings(tables, charge, refunds, context)
  const looks = changes.some(({ repaired }) => repaired) ? 0 : charge.looks
  const isOnTime = charge.lookedAt === stripe.lookedAt && !isTorn(stripe)
  const waitMs = isOnTime ? nextLookMs({ ...charge, looks, refunds }, now) : againMs(looks)
  await tables.charges.schedule(tenantId, id, waitMs, looks + 1)
  return changes
}

const againMs = (looks: number) => Math.min(5_000 * 2 ** looks, 86_400_000)

/** What was read one after the other may not be of one moment. */
const isTorn = ({ fact, refunds }: Context['stripe']) =>
  refunds.filter(({ status }) => status !== 'failed' && status !== 'canceled').reduce(sum, 0) !==
  fact.refunded

const sum = (total: number, { amount }: { amount: number }) => total + amount

/** Ours by what Stripe called it or, where that answer was lost, by the name that we gave it; else somebody else's. */
async function applyRefund(
  tables: RefundTables,
  fact: StripeRefundFact,
  charge: Charge,
  context: Context
): Promise<{ refund: Refund; change?: LookChange }> {
  const { bookings, ours, system, now, log } = context
  const refund = ours.find((one) => one.stripeRefund === fact.id) ?? ours.find((one) => isLost(one, fact))
  if (!refund) {
    const imported = await importExternal(tables, {
      ...{ booking: bookings.owner, charge, fact, system, now }
    })
    return { refund: imported, change: about(context, 'missing_refund', imported, fact.status) }
  }
  const isNews = refund.stripeRefund === undefined || refund.status !== fact.status
  // It is the submission's to find: it knows whether it has sent it.
  if (!isNews || isUnsent(refund)) return { refund }
  if (refund.status !== fact.status && !canBecome(refund.status, fact.status)) {
    log.error({ refund: refund.id, status: fact.status }, 'a refund cannot become what Stripe says')
    return { refund, change: about(context, 'refund_differs', refund, fact.status, false) }
  }
  const applied = await applyStripeRefund(tables, refund, fact, now)
  const detail = `From ${refund.status} to ${applied.status}.`
  return { refund: applied, change: about(context, 'refund_differs', applied, detail) }
}

/** One that has come to its end without Stripe's refund, as far as we know, has none that could be adopted. */
const isLost = ({ id, stripeRefund, status }: Refund, fact: StripeRefundFact) =>
  id === fact.refundId &&
  stripeRefund === undefined &&
  (isUnsent({ status }) || status === 'submitting' || status === 'unknown')

/** As far as we know; Stripe has it all the same after an older backup of the database was restored. */
const isUnsent = ({ status }: Pick<Refund, 'status'>) =>
  status === 'awaiting_approval' || status === 'requested'

const isMissing = ({ stripeRefund, status }: Refund) =>
  stripeRefund !== undefined && status !== 'failed' && status !== 'canceled'

/** What the customer has got back so far, wherever it was refunded. */
async function reviseBookings(
  tables: RefundTables,
  charge: Charge,
  refunds: readonly Refund[],
  { bookings, now }: Context
): Promise<void> {
  const refunded = refunds.filter(({ status }) => status === 'succeeded').reduce(sum, 0)
  for (const { tenantId, id } of [bookings.owner, ...bookings.others]) {
    const booking = await tables.bookings.lock(tenantId, id)
    const known = booking?.payment?.charge
    if (!booking || known?.id !== charge.id) continue
    if (known.refundedAmount === refunded && known.amount === charge.captured) continue
    await tables.bookings.update(revise(booking, now, withCharge(booking, charge, refunded)))
  }
}

const about = (
  { bookings, charge }: Context,
  kind: LookChange['kind'],
  refund?: Refund,
  detail?: string,
  repaired = kind !== 'unknown_at_stripe'
): LookChange => ({
  kind,
  bookingId: refund?.bookingId ?? bookings.owner.id,
  charge: charge.id,
  stripeRefund: refund?.stripeRefund,
  detail,
  repaired
})
