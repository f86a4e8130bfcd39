import type { Booking } from './booking.ts'
import { type Charge, leftOf } from './charge.ts'
import { partOf } from './money.ts'
import type { RefundTask } from './payment-task.ts'
import { decide, type PolicyRule, type RefundPolicy } from './refund-policy.ts'

/** What would be refunded, and why. Amounts are minor units of the charge's currency. */
export type Quote = {
  /** Whether there is anything to refund. */
  refundable: boolean
  amount: number
  currency: string
  /** Of what was left; undefined where an amount was named. */
  percentHundredths?: number | undefined
  rule: PolicyRule
  noticeMs: number
  policy: { name: string; version: number }
  charged: number
  alreadyRefunded: number
}

export type QuoteRequest = Pick<RefundTask, 'trigger' | 'at' | 'cancelerType' | 'wanted'> & {
  policy: RefundPolicy
  charge: Pick<Charge, 'captured' | 'reserved' | 'elsewhere' | 'currency'>
  booking: Pick<Booking, 'startTime' | 'reschedules'>
}

/** The one decision on how much: what a quote says is what a refund does. An amount that was named is not judged here. */
export function quote({ policy, charge, booking, wanted, ...occasion }: QuoteRequest): Quote {
  const { startTime } = booking
  const decision = decide(policy, { ...occasion, startTime, firstStartTime: firstStartOf(booking) })
  const left = leftOf(charge)
  const { currency, captured } = charge
  const { percentHundredths, rule } = wanted === 'policy' ? decision : ofWish(wanted)
  const amount = typeof wanted === 'object' ? wanted.amount : partOf(left, percentHundredths ?? 0, currency)
  return {
    refundable: amount > 0 && amount <= left,
    amount,
    currency,
    percentHundredths,
    rule,
    noticeMs: decision.noticeMs,
    policy: { name: policy.name, version: policy.version },
    charged: captured,
    alreadyRefunded: charge.reserved + charge.elsewhere
  }
}

/** The start that the booking was first made for. */
export const firstStartOf = ({
  startTime,
  reschedules
}: Pick<Booking, 'startTime' | 'reschedules'>): number => reschedules[0]?.from ?? startTime

function ofWish(wanted: Exclude<RefundTask['wanted'], 'policy'>): {
  percentHundredths?: number | undefined
  rule: PolicyRule
} {
  if (typeof wanted === 'object') return { percentHundredths: undefined, rule: 'amount' }
  return wanted === 'full'
    ? { percentHundredths: 10_000, rule: 'full' }
    : { percentHundredths: 0, rule: 'none' }
}
