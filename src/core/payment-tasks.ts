import { type Booking, isUnresolved } from './booking.ts'
import { stripeReferenceOf } from './booking-payment.ts'
import { connectedTenant } from './connection.ts'
import { AppError } from './errors.ts'
import { inTime } from './in-time.ts'
import { recordReading, recordUnreadable } from './payment-reading.ts'
import type { PaymentTask } from './payment-task.ts'
import type { Payments } from './payments.ts'
import type { Refund } from './refund.ts'
import { concludeRefund, decideRefund, referenceToAsk } from './refund-decision.ts'
import type { NotDueReason } from './refund-plan.ts'
import type { RefundTables, TransactRefunds } from './refund-tables.ts'
import type { System } from './system.ts'

type Deps = {
  system: Pick<System, 'now' | 'sleep' | 'random' | 'id'>
  transact: TransactRefunds
  payments: Pick<Payments, 'isConfigured' | 'findCharge' | 'listRefunds'>
  /** Sends a refund that was just made to Stripe, as far as that goes; it may also be left to the worker. */
  submit: (refund: Refund) => Promise<Refund>
  /** Whether refunds wait for somebody's approval. */
  needsApproval: boolean
  log: { warn: (fields: object, phrase: string) => void }
}

/** How long a task may be at it before it is another worker's. */
const leaseMs = 60_000
/** How long a caller who cancels waits for the decision, and then for Stripe's answer to the refund. */
const patienceMs = 6_000
const longestPauseMs = 300_000
/** Banks take days. */
const longestOfBankMs = 3_600_000
/** An intent without a charge may get one; after so many looks nobody waits for it. */
const mostReads = 10

type Asked = Pick<PaymentTask, 'tenantId' | 'bookingId'>

export type Settled = { booking: Booking | undefined; isDecided: boolean; refund: Refund | undefined }

/** Reads what bookings were paid with and decides what is refunded of it, once the fact that asks for it is committed. */
export function createPaymentTasks(deps: Deps) {
  const { system, transact, payments, submit, needsApproval, log } = deps

  return {
    /** One that is due; false when there is none. */
    async workNext(): Promise<boolean> {
      const task = await transact(({ paymentTasks }) => paymentTasks.take(leaseMs))
      if (!task) return false
      try {
        const refund = await perform(task)
        if (refund) await submit(refund)
      } catch (error) {
        if (!isStripeAway(error)) throw error
        await postpone(task, error)
      }
      return true
    },

    /**
     * A booking that was canceled and what became of its money, decided now where that is still to be done. Both are of
     * one moment: the booking shows what its refund has come to.
     */
    async settle(asked: Asked): Promise<Settled> {
      const task = await waitingFor(asked)
      if (task) await hurry(task)
      return transact((tables) => standingOf(tables, asked))
    }
  }

  function waitingFor({ tenantId, bookingId }: Asked): Promise<PaymentTask | undefined> {
    return transact(({ paymentTasks }) => paymentTasks.lock(tenantId, bookingId, 'refund'))
  }

  /** For a caller who waits; what is not done in time is the worker's. */
  async function hurry(task: PaymentTask): Promise<void> {
    const work = perform(task).then((refund) => refund && submit(refund))
    try {
      await inTime(system, work, patienceMs)
    } catch (error) {
      if (!(error instanceof AppError && error.status === 503)) throw error
      log.warn({ err: error, booking: task.bookingId }, 'refund is decided later')
    }
  }

  async function perform(task: PaymentTask): Promise<Refund | undefined> {
    return task.kind === 'read' ? read(task).then(() => undefined) : decide(task)
  }

  async function read(task: PaymentTask): Promise<void> {
    const { tenantId, bookingId } = task
    const booking = await transact(({ bookings }) => bookings.lock(tenantId, bookingId))
    const reference = booking && stripeReferenceOf(booking)
    if (booking && isUnresolved(booking)) return rest(task, pauseAfter(task.attempts))
    const isOver = !booking || booking.status === 'rejected' || booking.payment?.charge !== undefined
    if (reference === undefined || isOver || !hasStripe(tenantId)) {
      return transact(({ paymentTasks }) => paymentTasks.remove(tenantId, bookingId, 'read'))
    }
    const lookedAt = system.now()
    const fact = await payments.findCharge(reference)
    if (fact?.isPending) return restForBank(task)
    if (fact) return transact((tables) => recordReading(tables, task, fact, { lookedAt, now: system.now() }))
    if (reference.startsWith('pi_') && task.attempts < mostReads) return rest(task, pauseAfter(task.attempts))
    return transact((tables) => recordUnreadable(tables, task, system.now()))
  }

  async function decide(task: PaymentTask): Promise<Refund | undefined> {
    const reference = await transact((tables) => referenceToAsk(tables, task))
    if (reference === undefined) return undefined
    if (!hasStripe(task.tenantId)) return conclude(task, 'stripe_not_configured')
    const lookedAt = system.now()
    const fact = await payments.findCharge(reference)
    if (!fact) return conclude(task, 'charge_unknown')
    if (fact.isPending) return restForBank(task)
    const made = fact.refunded > 0 ? await payments.listRefunds(fact.id) : []
    return transact((tables) => decideRefund(tables, task, { fact, made, lookedAt, needsApproval, system }))
  }

  async function conclude(task: PaymentTask, reason: NotDueReason): Promise<undefined> {
    await transact((tables) => concludeRefund(tables, task, reason, system.now()))
  }

  function hasStripe(tenantId: string): boolean {
    return payments.isConfigured && tenantId === connectedTenant
  }

  async function rest({ tenantId, bookingId, kind }: PaymentTask, ms: number): Promise<void> {
    await transact(({ paymentTasks }) => paymentTasks.postpone(tenantId, bookingId, kind, ms))
  }

  /** What will be paid only after the booking has ended is to be refunded all the same. */
  async function restForBank(task: PaymentTask): Promise<undefined> {
    await rest(task, pauseAfter(task.attempts, longestOfBankMs))
  }

  async function postpone(task: PaymentTask, { retryAfterMs = 0, message }: AppError): Promise<void> {
    log.warn({ booking: task.bookingId, detail: message, attempts: task.attempts }, 'Stripe is asked later')
    await rest(task, Math.max(retryAfterMs, pauseAfter(task.attempts)))
  }

  /** In milliseconds, longer with each. */
  function pauseAfter(attempts: number, longestMs = longestPauseMs): number {
    return (0.5 + system.random() / 2) * Math.min(longestMs, 500 * 2 ** Math.min(attempts, 20))
  }
}

export type PaymentTasks = ReturnType<typeof createPaymentTasks>

/** Whoever changes a refund locks its booking first. */
async function standingOf(tables: RefundTables, { tenantId, bookingId }: Asked): Promise<Settled> {
  const booking = await tables.bookings.lock(tenantId, bookingId)
  const isDecided = (await tables.paymentTasks.lock(tenantId, bookingId, 'refund')) === undefined
  const charge = booking?.payment?.charge
  const made = charge ? await tables.refunds.lockByCharge(tenantId, charge.id) : []
  const isOfCancellation = (one: Refund) => one.bookingId === bookingId && one.trigger === 'cancellation'
  return { booking, isDecided, refund: made.find(isOfCancellation) }
}

function isStripeAway(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'stripe_unavailable'
}
