import type { Booking, CancelerType } from './booking.ts'
import { revise } from './booking-changes.ts'
import { withCharge } from './booking-payment.ts'
import type { Charge } from './charge.ts'
import { createId } from './ids.ts'
import { lookSoon } from './look-schedule.ts'
import type { NewsType } from './news-types.ts'
import type { StripeRefundFact } from './payments.ts'
import {
  canBecome,
  isReserving,
  type Refund,
  type RefundStatus,
  type RefundTrigger,
  reviseRefund
} from './refund.ts'
import type { Quote } from './refund-quote.ts'
import type { Account, RefundTables } from './refund-tables.ts'
import type { System } from './system.ts'

/** How long whoever made a refund, or took it, may be at it before it is a worker's. */
export const refundLeaseMs = 30_000

/** Stripe's idempotency key. */
export const firstKey = ({ id }: Pick<Refund, 'id'>): string => `${id}-1`

export type NewRefund = {
  /** Locked. */
  booking: Booking
  charge: Charge
  due: Pick<Quote, 'amount' | 'currency' | 'percentHundredths' | 'rule' | 'policy'>
  task: {
    trigger: Exclude<RefundTrigger, 'external'>
    cancelerType?: CancelerType
    reason?: string | undefined
  }
  needsApproval: boolean
  retryOf?: string | undefined
  system: Pick<System, 'now' | 'id'>
  now: number
}

/** Takes its amount of the charge and writes it down; undefined where that much is not left. */
export async function createRefund(tables: RefundTables, wanted: NewRefund): Promise<Refund | undefined> {
  const { booking, charge, due, task, needsApproval, retryOf, system, now } = wanted
  const { tenantId } = booking
  if (!(await tables.charges.reserve(tenantId, charge.id, due.amount))) return undefined
  const id = createId('rfd', system)
  const status = needsApproval ? 'awaiting_approval' : 'requested'
  const refund: Refund = {
    ...{ id, tenantId, bookingId: booking.id, charge: charge.id, status, trigger: task.trigger },
    ...{ amount: due.amount, currency: due.currency, percentHundredths: due.percentHundredths },
    ...{ rule: due.rule, policy: due.policy, reason: task.reason, retryOf },
    idempotencyKey: firstKey({ id }),
    history: [{ status, at: now }],
    ...{ version: 1, createdAt: now, updatedAt: now }
  }
  await tables.refunds.insert(refund, needsApproval ? undefined : refundLeaseMs)
  await move(tables, refund, 'refundable', 'reserved', now)
  await tell(tables, refund, 'refund.created')
  if (needsApproval) await tell(tables, refund, 'refund.requires_approval')
  await noteRefund(tables, refund, 'refund_created')
  return refund
}

type Imported = Pick<NewRefund, 'booking' | 'charge' | 'system' | 'now'> & { fact: StripeRefundFact }

/** One that was made in Stripe itself. */
export async function importExternal(
  tables: RefundTables,
  { booking, charge, fact, system, now }: Imported
): Promise<Refund> {
  const { tenantId } = booking
  const { status, amount, currency, failureReason, reason } = fact
  const refund: Refund = {
    ...{ id: createId('rfd', system), tenantId, bookingId: booking.id },
    ...{ charge: charge.id, status, trigger: 'external', amount, currency, reason },
    ...{ stripeRefund: fact.id, failureReason, history: [{ status, at: now }] },
    ...{ version: 1, createdAt: now, updatedAt: now }
  }
  await tables.refunds.insert(refund)
  if (isReserving(refund)) {
    await tables.charges.addElsewhere(tenantId, charge.id, amount)
    await move(tables, refund, 'refundable', 'elsewhere', now)
  }
  await tell(tables, refund, 'refund.created')
  if (status === 'succeeded') await tell(tables, refund, 'refund.succeeded')
  await noteRefund(tables, refund, 'refund_imported')
  return refund
}

/** As Stripe has it; the same object where that is no news, or nothing that it can become. */
export async function applyStripeRefund(
  tables: RefundTables,
  refund: Refund,
  fact: StripeRefundFact,
  now: number
): Promise<Refund> {
  const isKnown = refund.status === fact.status && refund.stripeRefund === fact.id
  const isPossible = refund.status === fact.status || canBecome(refund.status, fact.status)
  if (isKnown || !isPossible) return refund
  const { failureReason = refund.failureReason } = fact
  const applied = await changeRefund(tables, refund, now, {
    ...{ status: fact.status, stripeRefund: fact.id, failureReason, resolution: undefined }
  })
  await lookSoon(tables, { tenantId: refund.tenantId, id: refund.charge })
  return applied
}

/**
 * The one place where a refund changes: row, counter of the charge, ledger, event, timeline and what the booking shows. The
 * booking is locked, and so is the refund. Without `resolveInMs` the worker has nothing left to do for it.
 */
export async function changeRefund(
  tables: RefundTables,
  refund: Refund,
  now: number,
  changes: Partial<Refund>,
  resolveInMs?: number
): Promise<Refund> {
  const next = reviseRefund(refund, now, changes)
  await tables.refunds.update(next, resolveInMs)
  if (next.status === refund.status) return next
  await moveMoney(tables, refund, next, now)
  await showOnBooking(tables, refund, next, now)
  const isStep = next.history.length > refund.history.length
  const news = isStep && newsOf(refund.status, next.status)
  if (news) {
    await tell(tables, next, news)
    await noteRefund(tables, next, `refund_${next.status}`)
  }
  return next
}

async function moveMoney(tables: RefundTables, before: Refund, after: Refund, now: number): Promise<void> {
  const { tenantId, charge, amount } = after
  const isOurs = after.trigger !== 'external'
  if (isReserving(before) && !isReserving(after)) {
    if (isOurs) await tables.charges.release(tenantId, charge, amount)
    else await tables.charges.addElsewhere(tenantId, charge, -amount)
    await move(tables, after, accountOf(before), 'refundable', now)
  } else if (isOurs && after.status === 'succeeded') await move(tables, after, 'reserved', 'refunded', now)
}

function accountOf({ trigger, status }: Refund): Account {
  if (trigger === 'external') return 'elsewhere'
  return status === 'succeeded' ? 'refunded' : 'reserved'
}

function move(tables: RefundTables, refund: Refund, from: Account, to: Account, at: number): Promise<void> {
  const { tenantId, charge, id: refundId, amount, currency } = refund
  return tables.ledger.post({ tenantId, charge, refundId, from, to, amount, currency, at })
}

/** What the customer has got back of the charge so far. */
async function showOnBooking(
  tables: RefundTables,
  before: Refund,
  after: Refund,
  now: number
): Promise<void> {
  const returned =
    after.status === 'succeeded' ? after.amount : before.status === 'succeeded' ? -after.amount : 0
  if (returned === 0) return
  const { tenantId, bookingId } = after
  const booking = await tables.bookings.lock(tenantId, bookingId)
  const known = booking?.payment?.charge
  if (!booking || known?.id !== after.charge) return
  const { id, paymentIntent, amount: captured, currency, refundedAmount } = known
  const charge = { id, paymentIntent, captured, currency }
  const next = revise(booking, now, withCharge(booking, charge, Math.max(0, refundedAmount + returned)))
  await tables.bookings.update(next)
}

/** On its way to Stripe and back nothing has happened that anybody could act on. */
function newsOf(from: RefundStatus, to: RefundStatus): NewsType | undefined {
  if (to === 'submitting' || (to === 'requested' && from !== 'awaiting_approval')) return undefined
  if (to === 'succeeded') return 'refund.succeeded'
  return to === 'failed' || to === 'canceled' ? 'refund.failed' : 'refund.updated'
}

function tell({ events }: RefundTables, refund: Refund, type: NewsType): Promise<void> {
  const { tenantId, id: subject, updatedAt: at } = refund
  return events.add({ tenantId, type, subject, at, data: { refund } })
}

function noteRefund({ timeline }: RefundTables, refund: Refund, type: string): Promise<void> {
  const { id, tenantId, bookingId, amount, currency, updatedAt: at } = refund
  const detail = {
    ...{ refund: id, amount, currency, rule: refund.rule ?? null, trigger: refund.trigger },
    ...(refund.failureReason !== undefined && { failure_reason: refund.failureReason })
  }
  return timeline.add({ tenantId, id: bookingId }, { at, type, detail })
}
