import type { Books } from './books.ts'
import { quantumOf, worded } from './currencies.ts'
import { malformed, refused } from './errors.ts'
import {
  type By,
  type Charge,
  counts,
  isInTheWay,
  nobody,
  type Refund,
  type RefundStatus,
  refundedOf
} from './records.ts'
import { chargeBody, refundBody } from './render.ts'

/** What refunds that are made from now on become. */
export type Course = {
  status: RefundStatus
  failure_reason?: string | undefined
  turns: { status: RefundStatus; after_seconds: number; failure_reason?: string | undefined }[]
  times?: number | undefined
}

export type RefundWish = {
  /** All that is left where it is not said. */
  amount?: number | undefined
  reason?: string | undefined
  instructionsEmail?: string | undefined
  metadata?: Record<string, string>
  by?: By
}

/** Money goes back, or does not after all; never more than was captured. https://docs.stripe.com/refunds */
export function createRefunds({ refunds, now, dated, tell }: Books) {
  const turning = new Set<Refund>()
  let course: (Course & { left: number }) | undefined

  function nextCourse(): Course {
    if (!course || course.left === 0) return { status: 'succeeded', turns: [] }
    course.left -= 1
    return course
  }

  function become(refund: Refund, status: RefundStatus, { failureReason, by = nobody }: Change) {
    if (refund.status === status) return
    const previous = { status: refund.status }
    refund.status = status
    refund.history.push({ status, at: now() })
    if (failureReason !== undefined) refund.failureReason = failureReason
    const told = { object: refundBody(refund), previous, by }
    tell('refund.updated', refund, told)
    tell('charge.refund.updated', refund, told)
    if (status === 'failed') tell('refund.failed', refund, told)
  }

  function make(charge: Charge, amount: number, { reason, metadata = {}, by = nobody, ...rest }: RefundWish) {
    const { status, turns, failure_reason: failureReason } = nextCourse()
    const { account, livemode } = charge
    const refund: Refund = {
      ...{ ...dated('re'), account, livemode, charge, amount, status, metadata, by, reason: reason ?? null },
      ...{ instructionsEmail: rest.instructionsEmail, history: [{ status, at: now() }] },
      ...(failureReason !== undefined && { failureReason }),
      turns: turns.map((turn) => ({
        ...{ status: turn.status, failureReason: turn.failure_reason, at: now() + turn.after_seconds * 1000 }
      }))
    }
    if (turns.length > 0) turning.add(refund)
    refunds.set(refund.id, refund)
    return refund
  }

  function nextTurning(): Refund | undefined {
    const atOf = ({ turns: [turn] }: Refund) => turn?.at ?? Number.POSITIVE_INFINITY
    return turning.size === 0 ? undefined : [...turning].reduce((a, b) => (atOf(b) < atOf(a) ? b : a))
  }

  return {
    /** Throws as Stripe refuses. */
    refund(charge: Charge, wish: RefundWish): Refund {
      const amount = amountOf(charge, wish.amount)
      const refund = make(charge, amount, wish)
      const previous = { amount_refunded: refundedOf(charge), refunded: false }
      charge.refunds.push(refund)
      const { by = nobody } = wish
      const object = refundBody(refund)
      tell('refund.created', refund, { object, by })
      if (counts(refund)) tell('charge.refunded', charge, { object: chargeBody(charge), previous, by })
      if (refund.status === 'failed') tell('refund.failed', refund, { object, by })
      return refund
    },

    /** It is that now, and stays it. */
    turn(refund: Refund, status: RefundStatus, change: Change = {}) {
      refund.turns = []
      turning.delete(refund)
      become(refund, status, change)
    },

    /** What has become of refunds by now, in the order of time. The moment of the next change, if any. */
    settle(): number | undefined {
      for (;;) {
        const refund = nextTurning()
        const [turn] = refund?.turns ?? []
        if (!refund || !turn || turn.at > now()) return turn?.at
        refund.turns.shift()
        if (refund.turns.length === 0) turning.delete(refund)
        become(refund, turn.status, turn)
      }
    },

    setCourse(next: Course) {
      course = { ...next, left: next.times ?? Number.POSITIVE_INFINITY }
    },

    clearRefunds() {
      turning.clear()
      course = undefined
    }
  }
}

type Change = { failureReason?: string | undefined; by?: By }

/** How much goes back of that charge. */
function amountOf(charge: Charge, wanted: number | undefined): number {
  const { id, currency, status, captured, disputes } = charge
  if (status !== 'succeeded' || captured === 0) {
    const words = `Charge ${id} has no captured payment; nothing of it can be refunded.`
    throw refused(words, { code: 'charge_not_refundable', charge: id })
  }
  if (disputes.some(isInTheWay)) {
    const words = `Charge ${id} has been charged back; cannot issue a refund.`
    throw refused(words, { code: 'charge_disputed', charge: id })
  }
  const left = captured - refundedOf(charge)
  if (left === 0) {
    const words = `Charge ${id} has already been refunded.`
    throw refused(words, { code: 'charge_already_refunded', charge: id })
  }
  const amount = wanted ?? left
  if (amount > left) {
    const [asked, rest] = [worded(amount, currency), worded(left, currency)]
    const words = `Refund amount (${asked}) is greater than unrefunded amount on charge (${rest})`
    throw refused(words, { param: 'amount' })
  }
  const quantum = quantumOf(currency)
  if (wanted !== undefined && wanted % quantum !== 0) {
    throw malformed(`Amounts in ${currency} must be multiples of ${quantum}.`, { param: 'amount' })
  }
  return amount
}
