import type { Booking } from './booking.ts'
import { type Charge, leftOf } from './charge.ts'
import { AppError } from './errors.ts'
import { partOf, quantumOf } from './money.ts'
import type { RefundTask } from './payment-task.ts'
import { isReserving, type Refund } from './refund.ts'
import { momentOf } from './refund-plan.ts'
import type { Quote } from './refund-quote.ts'

/** What is asked about a refund, where it is not as the booking has it. */
export type Question = {
  /** When it would be canceled; now, or when it was, unless told otherwise. */
  at?: number | undefined
  cancelerType?: RefundTask['cancelerType'] | undefined
}

/** What a refund of a booking is decided by: its end, or what would be its end. */
export function occasionOf(
  { cancellation, noShow }: Booking,
  { at, cancelerType }: Question,
  now: number
): Pick<RefundTask, 'trigger' | 'at' | 'cancelerType'> {
  const isNoShow = noShow && !cancellation && at === undefined && cancelerType === undefined
  return {
    trigger: isNoShow ? 'no_show' : 'cancellation',
    at: at ?? (cancellation ? momentOf(cancellation) : now),
    cancelerType: cancelerType ?? cancellation?.cancelerType ?? 'invitee'
  }
}

/** Throws `nothing_to_refund`, `refund_exceeds_charge` and, for what the currency cannot pay, `validation_failed`. */
export function refuseUndue({ amount, currency }: Pick<Quote, 'amount' | 'currency'>, charge: Charge): void {
  const quantum = quantumOf(currency)
  const left = leftOf(charge)
  if (amount === 0) {
    const why = left < quantum ? 'Nothing of its payment is left.' : 'Its policy gives nothing back now.'
    throw new AppError('nothing_to_refund', why)
  }
  if (amount % quantum !== 0) {
    const detail = `must be a multiple of ${quantum} in ${currency}`
    throw new AppError('validation_failed', undefined, { faults: [{ pointer: '#/amount', detail }] })
  }
  if (amount > left) {
    throw new AppError('refund_exceeds_charge', `Of its payment ${left} ${currency} are left.`)
  }
}

/** Throws `refund_not_retryable`. */
export function refuseRetry({ status, trigger }: Refund): void {
  if (status !== 'failed' && status !== 'canceled') {
    throw new AppError('refund_not_retryable', `It is ${status}.`)
  }
  if (trigger === 'external') {
    throw new AppError('refund_not_retryable', 'It was made in Stripe itself: ask for a new one.')
  }
}

/** What a part of the charge is by now, if somebody else has taken of it meanwhile; an amount that was named stays. */
export function amountAgain({ amount, percentHundredths, currency }: Refund, charge: Charge): number {
  if (percentHundredths === undefined) return amount
  return Math.min(amount, partOf(leftOf(charge), percentHundredths, currency))
}

/** The one that is under way or has succeeded of those that try the same again; `others` are all of its charge. */
export function liveAttempt(failed: Refund, others: readonly Refund[]): Refund | undefined {
  const first = firstOf(failed, others)
  return others.find((other) => isReserving(other) && firstOf(other, others) === first)
}

/** The id of the one that all of them try again. */
function firstOf({ id, retryOf }: Refund, others: readonly Refund[]): string {
  const before = others.find((other) => other.id === retryOf)
  return before ? firstOf(before, others) : id
}
