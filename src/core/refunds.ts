import type { Caller } from './callers.ts'
import { withUnseen } from './charges.ts'
import type { Cursors } from './cursor.ts'
import { AppError } from './errors.ts'
import type { Execution } from './idempotency.ts'
import { isUnderWay } from './look-schedule.ts'
import { chargeIn, lockPaid, type PaidBooking, type PaidBookings } from './paid-bookings.ts'
import type { RefundTask } from './payment-task.ts'
import type { Refund } from './refund.ts'
import { auditRefund } from './refund-audit.ts'
import { policyOf } from './refund-policies.ts'
import { defaultPolicy } from './refund-policy.ts'
import { type Quote, quote } from './refund-quote.ts'
import { createRefund, type NewRefund } from './refund-recording.ts'
import {
  amountAgain,
  liveAttempt,
  occasionOf,
  type Question,
  refuseRetry,
  refuseUndue
} from './refund-rules.ts'
import type { RefundSubmission } from './refund-submission.ts'
import type { RefundFilter, RefundReads, RefundTables, TransactRefunds } from './refund-tables.ts'
import type { System } from './system.ts'
import type { Turns } from './turns.ts'

type Deps = {
  system: Pick<System, 'now' | 'id'>
  transact: TransactRefunds
  /** By booking. */
  inTurn: Turns
  reads: Pick<RefundReads, 'find' | 'list' | 'findCharge'>
  paidBookings: PaidBookings
  submission: Pick<RefundSubmission, 'submit'>
  needsApproval: boolean
  cursors: Cursors
}

export type RefundRequest = {
  bookingId: string
  /** Minor units; what the policy says where none is named. */
  amount?: number | undefined
  reason?: string | undefined
  cancelerType?: RefundTask['cancelerType'] | undefined
}

export type QuoteQuestion = Question & { bookingId: string }

/** Refunds as callers ask for them and follow them. */
export function createRefunds(deps: Deps) {
  const { system, transact, inTurn, reads, paidBookings, submission, needsApproval, cursors } = deps

  async function get({ tenantId }: Pick<Caller, 'tenantId'>, id: string): Promise<Refund> {
    const refund = await reads.find(tenantId, id)
    if (!refund) throw new AppError('refund_not_found')
    return refund
  }

  return {
    get,

    /** Newest first. */
    async list(
      { tenantId }: Caller,
      { cursor, ...filter }: Omit<RefundFilter, 'before'> & { cursor?: string | undefined }
    ): Promise<{ refunds: Refund[]; nextCursor: string | null }> {
      const before = cursor === undefined ? undefined : cursors.decode('refunds', cursor)
      const page = await reads.list(tenantId, { ...filter, before, limit: filter.limit + 1 })
      const refunds = page.slice(0, filter.limit)
      const last = page.length > filter.limit ? refunds.at(-1) : undefined
      return { refunds, nextCursor: last ? cursors.encode('refunds', last.id) : null }
    },

    /** What a cancellation at that moment would give back. Throws as `request` does, but for what has nothing left. */
    async quote({ tenantId }: Caller, question: QuoteQuestion): Promise<Quote> {
      const paid = await paidBookings.read(tenantId, question.bookingId)
      const { booking, fact } = paid
      return transact(async (tables) => {
        const charge = await chargeIn(tables, paid)
        const occasion = occasionOf(booking, question, system.now())
        const policy = await policyOf(tables, booking)
        const due = quote({ policy, charge, booking, wanted: 'policy', ...occasion })
        return fact.dispute ? { ...due, refundable: false } : due
      })
    },

    /**
     * Takes the amount of the charge and sends it on its way. Throws `booking_not_found`, `not_refundable`,
     * `charge_disputed`, `refund_exceeds_charge`, `nothing_to_refund`, `validation_failed` and `stripe_unavailable`.
     */
    async request(caller: Caller, request: RefundRequest, execution: Execution): Promise<Refund> {
      if (execution.subject !== undefined) return submission.submit(await get(caller, execution.subject))
      const paid = await readUndisputed(caller, request.bookingId)
      await refuseExcess(paid, request)
      const refund = await write(caller, paid, execution, 'requested', (tables, now) =>
        make(tables, paid, request, now)
      )
      return submission.submit(refund)
    },

    /**
     * One that is under way is taken further now; of one that came to nothing another is made, once. Throws as `request`
     * does, and `refund_not_retryable`.
     */
    async retry(caller: Caller, id: string, execution: Execution): Promise<Refund> {
      const refund = await get(caller, execution.subject ?? id)
      if (execution.subject !== undefined || isUnderWay(refund)) return submission.submit(refund)
      refuseRetry(refund)
      const paid = await readUndisputed(caller, refund.bookingId)
      const again = await write(caller, paid, execution, 'retried', (tables, now) =>
        makeAgain(tables, paid, refund, now)
      )
      return submission.submit(again)
    }
  }

  async function readUndisputed({ tenantId }: Caller, bookingId: string): Promise<PaidBooking> {
    const paid = await paidBookings.read(tenantId, bookingId)
    if (paid.fact.dispute) throw new AppError('charge_disputed')
    return paid
  }

  /** Spares whoever comes too late the wait for the others' turns. */
  async function refuseExcess({ booking, fact }: PaidBooking, { amount }: RefundRequest): Promise<void> {
    const known = await reads.findCharge(booking.tenantId, fact.id)
    if (known && amount !== undefined) {
      const { captured, refunded } = fact
      refuseUndue({ amount, currency: fact.currency }, withUnseen({ ...known, captured, refunded }))
    }
  }

  function write(
    caller: Caller,
    { booking }: PaidBooking,
    execution: Execution,
    what: 'requested' | 'retried',
    make: (tables: RefundTables, now: number) => Promise<Refund>
  ): Promise<Refund> {
    return inTurn(booking.id, () =>
      transact(async (tables) => {
        const now = system.now()
        const made = await make(tables, now)
        await execution.begin(tables, made.id)
        await auditRefund(tables, caller, made, what, now)
        return made
      })
    )
  }

  async function make(
    tables: RefundTables,
    paid: PaidBooking,
    { amount, reason, cancelerType }: RefundRequest,
    now: number
  ): Promise<Refund> {
    const { booking, charge } = await lockPaid(tables, paid, now)
    const occasion = occasionOf(booking, { cancelerType }, now)
    const wanted = amount === undefined ? 'policy' : { amount }
    const due = quote({ policy: await policyOf(tables, booking), charge, booking, wanted, ...occasion })
    return insert(tables, { booking, charge, due, task: { trigger: 'manual', reason }, now })
  }

  /** The one that was made of it already, unless that came to nothing, too. */
  async function makeAgain(
    tables: RefundTables,
    paid: PaidBooking,
    failed: Refund,
    now: number
  ): Promise<Refund> {
    const { booking, charge } = await lockPaid(tables, paid, now)
    const others = await tables.refunds.lockByCharge(failed.tenantId, failed.charge)
    const made = liveAttempt(failed, others)
    if (made) return made
    const { currency, percentHundredths, rule = 'amount', policy = defaultPolicy, reason } = failed
    const due = { amount: amountAgain(failed, charge), currency, percentHundredths, rule, policy }
    return insert(tables, {
      booking,
      charge,
      due,
      task: { trigger: 'manual', reason },
      retryOf: failed.id,
      now
    })
  }

  async function insert(
    tables: RefundTables,
    wanted: Omit<NewRefund, 'needsApproval' | 'system'>
  ): Promise<Refund> {
    refuseUndue(wanted.due, wanted.charge)
    const refund = await createRefund(tables, { ...wanted, needsApproval, system })
    if (!refund) throw new AppError('refund_exceeds_charge')
    return refund
  }
}

export type Refunds = ReturnType<typeof createRefunds>
