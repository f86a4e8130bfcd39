import type { Booking } from './booking.ts'
import { revise } from './booking-changes.ts'
import { stripeReferenceOf, withCharge } from './booking-payment.ts'
import type { Charge } from './charge.ts'
import { openCharge, withUnseen } from './charges.ts'
import type { PaymentTask, RefundTask } from './payment-task.ts'
import type { ChargeFact, StripeRefundFact } from './payments.ts'
import type { Refund } from './refund.ts'
import { type NotDueReason, noteNotDue } from './refund-plan.ts'
import { policyOf } from './refund-policies.ts'
import { type Quote, quote } from './refund-quote.ts'
import { createRefund } from './refund-recording.ts'
import type { RefundTables } from './refund-tables.ts'
import type { System } from './system.ts'

type Of = Pick<PaymentTask, 'tenantId' | 'bookingId'>

/** As Stripe had the charge when it was asked at `lookedAt`. */
type Reading = {
  fact: ChargeFact
  /** What Stripe lists of its refunds, where there are any. */
  made: readonly StripeRefundFact[]
  lookedAt: number
  needsApproval: boolean
  system: Pick<System, 'now' | 'id'>
}

/** What Stripe is to be asked for, if anything is to be decided still: a no-show that costs nothing needs no asking. */
export async function referenceToAsk(
  tables: RefundTables,
  { tenantId, bookingId }: Of
): Promise<string | undefined> {
  const booking = await tables.bookings.lock(tenantId, bookingId)
  const refund = await lockTask(tables, { tenantId, bookingId })
  if (!booking || !refund) return undefined
  const reference = stripeReferenceOf(booking)
  const isOver =
    (await tables.refunds.hasAutomatic(tenantId, bookingId)) ||
    isTakenBack(booking, refund) ||
    (refund.trigger === 'no_show' && (await policyOf(tables, booking)).noShowPercentHundredths === 0)
  if (reference !== undefined && !isOver) return reference
  await tables.paymentTasks.remove(tenantId, bookingId, 'refund')
  return undefined
}

/** Nothing is refunded, and the timeline says why. */
export async function concludeRefund(
  tables: RefundTables,
  { tenantId, bookingId }: Of,
  reason: NotDueReason,
  now: number
): Promise<void> {
  const booking = await tables.bookings.lock(tenantId, bookingId)
  const refund = await lockTask(tables, { tenantId, bookingId })
  if (booking && refund) await conclude(tables, booking, reason, now)
}

/** The refund that is due, in the transaction that ends the task; undefined where none is, or somebody was faster. */
export async function decideRefund(
  tables: RefundTables,
  { tenantId, bookingId }: Of,
  { fact, made, lookedAt, needsApproval, system }: Reading
): Promise<Refund | undefined> {
  const before = await tables.bookings.lock(tenantId, bookingId)
  const task = await lockTask(tables, { tenantId, bookingId })
  if (!before || !task) return undefined
  const now = system.now()
  if (isTakenBack(before, task) || (await tables.refunds.hasAutomatic(tenantId, bookingId))) {
    await tables.paymentTasks.remove(tenantId, bookingId, 'refund')
    return undefined
  }
  const { charge } = await openCharge(tables, { tenantId, bookingId }, fact, { lookedAt, now })
  const booking = await learnCharge(tables, before, charge, now)
  const reason = whyNot(fact)
  if (reason) return conclude(tables, booking, reason, now)
  if (await hasForgotten(tables, charge, made)) return conclude(tables, booking, 'refunded_before', now)
  const due = quote({
    policy: await policyOf(tables, booking),
    charge: withUnseen(charge),
    booking,
    ...task
  })
  if (!due.refundable) return conclude(tables, booking, reasonOf(due), now)
  const refund = await createRefund(tables, { booking, charge, due, task, needsApproval, system, now })
  // Somebody else has taken what was left, in a transaction that Stripe knew nothing of.
  if (!refund) return conclude(tables, booking, 'nothing_left', now)
  await tables.paymentTasks.remove(tenantId, bookingId, 'refund')
  return refund
}

/** Whoever did not appear was given another time since, or did appear. */
const isTakenBack = ({ noShow }: Booking, { trigger }: RefundTask) => trigger === 'no_show' && !noShow

async function lockTask(tables: RefundTables, { tenantId, bookingId }: Of): Promise<RefundTask | undefined> {
  const task = await tables.paymentTasks.lock(tenantId, bookingId, 'refund')
  return task?.kind === 'refund' ? task.refund : undefined
}

async function conclude(
  tables: RefundTables,
  booking: Booking,
  reason: NotDueReason,
  now: number
): Promise<undefined> {
  await noteNotDue(tables, booking, reason, now)
  await tables.paymentTasks.remove(booking.tenantId, booking.id, 'refund')
}

async function learnCharge(
  tables: RefundTables,
  booking: Booking,
  charge: Charge,
  now: number
): Promise<Booking> {
  const known = booking.payment?.charge
  if (known?.id === charge.id && known.amount === charge.captured) return booking
  const next = revise(booking, now, withCharge(booking, charge))
  await tables.bookings.update(next)
  await tables.paymentTasks.remove(booking.tenantId, booking.id, 'read')
  return next
}

/** Whether Stripe has one of ours that is unknown here, as after an older backup was restored: it may be this one. */
async function hasForgotten(
  tables: RefundTables,
  { tenantId, id: charge }: Charge,
  made: Reading['made']
): Promise<boolean> {
  const named = made.filter(({ refundId }) => refundId !== undefined)
  if (named.length === 0) return false
  const known = await tables.refunds.lockByCharge(tenantId, charge)
  return named.some(
    ({ refundId, status }) =>
      status !== 'failed' && status !== 'canceled' && !known.some(({ id }) => id === refundId)
  )
}

function whyNot({ isPaid, captured, dispute }: ChargeFact): NotDueReason | undefined {
  if (!isPaid || captured === 0) return 'not_captured'
  return dispute ? 'disputed' : undefined
}

const reasonOf = ({ percentHundredths }: Quote): NotDueReason =>
  percentHundredths === 0 ? 'policy' : 'nothing_left'
