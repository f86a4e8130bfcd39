import { AppError } from './errors.ts'
import type { Payments, StripeRefundFact, StripeRefundOutcome } from './payments.ts'
import type { Refund, RefundResolution } from './refund.ts'
import { type Log, lockRefund, pauseAfter, recordOutcome, resolutionOf } from './refund-outcomes.ts'
import { applyStripeRefund, changeRefund, firstKey, refundLeaseMs } from './refund-recording.ts'
import type { RefundTables, TransactRefunds } from './refund-tables.ts'
import type { System } from './system.ts'
import type { Turns } from './turns.ts'

type Deps = {
  system: Pick<System, 'now' | 'random'>
  transact: TransactRefunds
  /** By booking. */
  inTurn: Turns
  payments: Pick<Payments, 'refund' | 'listRefunds' | 'findRefund'>
  /** How long Stripe's list must have lacked a refund before it is sent under another key. */
  absenceMs: number
  log: Log
}

/** The first may have been of something on the way; the second is what Stripe answers under this key from now on. */
const failuresOfOneKey = 2
/** Stripe forgets keys after 24 hours. */
const keyMs = 20 * 3_600_000

/**
 * Takes refunds to Stripe: written as `submitting` first, then sent under the key that was stored with them. After a lost
 * answer Stripe's own list is read before anything is sent again, always under that key, which Stripe answers as it did
 * before. Only where that is a failure, and two looks at the list have lacked the refund since, it gets another key.
 */
export function createRefundSubmission({ system, transact, inTurn, payments, absenceMs, log }: Deps) {
  const counts: Record<StripeRefundOutcome['kind'], number> = {
    done: 0,
    refused: 0,
    not_done: 0,
    ambiguous: 0
  }

  /** As far as it comes now; throws nothing of Stripe's. */
  async function submit(refund: Refund): Promise<Refund> {
    try {
      return await takeFurther(refund)
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'stripe_unavailable')) throw error
      return postpone(refund, error)
    }
  }

  return {
    submit,

    /** One that is due; false when there is none. */
    async workNext(): Promise<boolean> {
      const refund = await transact(({ refunds }) => refunds.takeDue(refundLeaseMs))
      if (refund) await submit(refund)
      return refund !== undefined
    },

    /** Answers of Stripe's to this process. */
    counts: (): Readonly<typeof counts> => counts
  }

  async function takeFurther(refund: Refund): Promise<Refund> {
    switch (refund.status) {
      case 'requested':
        return send(refund)
      case 'submitting':
      case 'unknown':
        return lookUp(refund)
      case 'pending':
      case 'requires_action':
        return follow(refund)
      default:
        return refund
    }
  }

  /** If it is still as it was, so that two who have it send it once. */
  async function send(asked: Refund, changes: Partial<Refund> = {}): Promise<Refund> {
    const begun = await write(asked, async (tables) => {
      const refund = await lockRefund(tables, asked)
      if (refund.version !== asked.version) return undefined
      const now = system.now()
      const before = { ...resolutionOf(refund, now), ...changes.resolution }
      const resolution = { ...before, absentSince: undefined, posts: before.posts + 1 }
      const next = { ...changes, status: 'submitting', resolution } as const
      return changeRefund(tables, refund, now, next, refundLeaseMs)
    })
    if (!begun) return write(asked, (tables) => lockRefund(tables, asked))
    const made = isOld(begun, system.now()) ? await findAtStripe(begun) : undefined
    if (made) return apply(begun, made)
    const outcome = await post(begun)
    counts[outcome.kind]++
    return write(begun, (tables) => recordOutcome(tables, begun, outcome, { system, log }))
  }

  async function post(refund: Refund): Promise<StripeRefundOutcome> {
    const { charge, amount, idempotencyKey: key = firstKey(refund), id: refundId } = refund
    const { toldBookingId: bookingId = refund.bookingId } = refund
    const outcome = await payments.refund({ charge, amount, key, refundId, bookingId })
    const isFirst = refund.resolution?.posts === 1
    if (outcome.kind !== 'refused' || isFirst) return outcome
    // It may be refused for what an earlier one has done.
    const found = await findAtStripe(refund)
    return found ? { kind: 'done', refund: found } : outcome
  }

  /** Found, it is adopted. Absent, it is sent again. */
  async function lookUp(refund: Refund): Promise<Refund> {
    const found = await findAtStripe(refund)
    if (found) return apply(refund, found)
    const now = system.now()
    const resolution = resolutionOf(refund, now)
    const { keptFailures = 0, absentSince = now } = resolution
    if (keptFailures < failuresOfOneKey) return send(refund)
    const waitMs = absentSince + absenceMs - now
    if (waitMs > 0) return rest(refund, { ...resolution, absentSince }, waitMs)
    log.warn({ refund: refund.id }, 'refund is sent under another key: Stripe keeps a failure under this one')
    return send(refund, { idempotencyKey: nextKey(refund), resolution: { ...resolution, keptFailures: 0 } })
  }

  function write<T>({ bookingId }: Refund, work: (tables: RefundTables) => Promise<T>): Promise<T> {
    return inTurn(bookingId, () => transact(work))
  }

  async function findAtStripe({ id, charge }: Refund): Promise<StripeRefundFact | undefined> {
    return (await payments.listRefunds(charge)).find(({ refundId }) => refundId === id)
  }

  /** What Stripe has is read before a webhook tells of it. */
  async function follow(refund: Refund): Promise<Refund> {
    const found = refund.stripeRefund && (await payments.findRefund(refund.stripeRefund))
    return found ? apply(refund, found) : refund
  }

  function apply(asked: Refund, fact: StripeRefundFact): Promise<Refund> {
    return write(asked, async (tables) =>
      applyStripeRefund(tables, await lockRefund(tables, asked), fact, system.now())
    )
  }

  /** Until the next look. */
  async function rest(asked: Refund, resolution: RefundResolution, waitMs: number): Promise<Refund> {
    return write(asked, async (tables) => {
      const refund = await lockRefund(tables, asked)
      if (refund.version !== asked.version) return refund
      return changeRefund(tables, refund, system.now(), { status: 'unknown', resolution }, waitMs)
    })
  }

  async function postpone(asked: Refund, { message, retryAfterMs = 0 }: AppError): Promise<Refund> {
    log.warn({ refund: asked.id, detail: message }, 'Stripe is asked later')
    return write(asked, async (tables) => {
      const refund = await lockRefund(tables, asked)
      // Where Stripe has it already, looks at its charge follow it.
      if (refund.version !== asked.version || refund.stripeRefund !== undefined) return refund
      const now = system.now()
      const before = resolutionOf(refund, now)
      const resolution = { ...before, tries: before.tries + 1 }
      const waitMs = Math.max(retryAfterMs, pauseAfter(resolution.tries, system))
      return changeRefund(tables, refund, now, { resolution }, waitMs)
    })
  }
}

export type RefundSubmission = ReturnType<typeof createRefundSubmission>

/** Sent before an older backup of the database was restored, it might be sent again: its key keeps it from that no more. */
const isOld = ({ createdAt }: Refund, now: number) => now - createdAt > keyMs

/** `rfd_…-1` → `rfd_…-2`. */
function nextKey(refund: Refund): string {
  const { id, idempotencyKey = firstKey(refund) } = refund
  return `${id}-${Number(idempotencyKey.slice(id.length + 1)) + 1}`
}
