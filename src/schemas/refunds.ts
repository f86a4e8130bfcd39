import { z } from 'zod'
import type { Charge } from '../core/charge.ts'
import { formatInstant } from '../core/instants.ts'
import type { Refund } from '../core/refund.ts'
import type { Quote } from '../core/refund-quote.ts'
import { instantIn, instantOut, pageInQuery, pageOf, textIn } from './common.ts'

const statuses = [
  'awaiting_approval',
  'requested',
  'submitting',
  'unknown',
  'pending',
  'requires_action',
  'succeeded',
  'failed',
  'canceled',
  'rejected'
] as const

const cancelerType = z
  .enum(['invitee', 'host', 'system'])
  .optional()
  .meta({ description: 'Who cancels; as it was canceled, else the invitee, unless told otherwise' })

export const refundId = z.strictObject({ id: textIn(64) })

export const quoteIn = z
  .strictObject({
    booking_id: textIn(64),
    at: instantIn.optional(),
    canceler_type: cancelerType
  })
  .meta({ id: 'RefundQuoteRequest' })

const amountWords = 'must be an integer from 1 on, in minor units'
export const amountIn = z.int(amountWords).min(1, amountWords)

export const refundIn = z
  .strictObject({
    booking_id: textIn(64),
    amount: amountIn.optional().meta({ description: 'Minor units; what the policy says without it' }),
    reason: textIn(500).optional(),
    canceler_type: cancelerType
  })
  .meta({ id: 'RefundRequest' })

export const refundFilterIn = z.strictObject({
  ...pageInQuery,
  booking_id: textIn(64).optional(),
  status: z.enum(statuses).optional()
})

const amountOut = z.int().min(0).meta({ description: 'Minor units, as Stripe counts them' })
const percentOut = z.number().min(0).max(100)
const ruleOut = z.string().meta({
  description:
    'Why that much: `notice_24h` and the like name the tier; `notice_too_short`, `after_start`, `host_cancel`, ' +
    '`system_cancel`, `no_show`; `full`, `none` and `amount` are what a caller said'
})

export const quoteOut = z
  .object({
    refundable: z.boolean(),
    amount: amountOut,
    currency: z.string(),
    percent: percentOut.nullable(),
    rule: ruleOut,
    notice_hours: z
      .number()
      .meta({ description: 'Elapsed hours until the start that counts; below zero after it' }),
    policy: z.string(),
    policy_version: z.int(),
    charged: amountOut,
    already_refunded: amountOut
  })
  .meta({ id: 'RefundQuote' })

export const refundOut = z
  .object({
    id: z.string(),
    booking_id: z.string(),
    charge: z.string().meta({ description: 'Stripe’s' }),
    status: z.enum(statuses),
    amount: amountOut,
    currency: z.string(),
    percent: percentOut.nullable().meta({ description: 'Of what was left; null where an amount was named' }),
    rule: ruleOut.nullable(),
    policy: z.string().nullable(),
    policy_version: z.int().nullable(),
    reason: z.string().nullable(),
    trigger: z.enum(['cancellation', 'no_show', 'manual', 'external']).meta({
      description: '`external`: made in Stripe itself'
    }),
    stripe_refund: z.string().nullable(),
    failure_reason: z.string().nullable(),
    retry_of: z
      .string()
      .nullable()
      .meta({ description: 'The refund that failed, which this one tries again' }),
    history: z.array(z.object({ status: z.enum(statuses), at: instantOut })),
    created_at: instantOut,
    updated_at: instantOut
  })
  .meta({ id: 'Refund' })

export const refundsOut = pageOf(refundOut)

export const chargeOut = z
  .object({
    id: z.string(),
    payment_intent: z.string().nullable(),
    booking_id: z.string(),
    captured: amountOut,
    refunded: amountOut,
    currency: z.string(),
    dispute: z.object({ id: z.string(), status: z.string() }).nullable()
  })
  .meta({ id: 'Charge' })

export function presentRefund(refund: Refund): z.input<typeof refundOut> {
  return {
    id: refund.id,
    booking_id: refund.bookingId,
    charge: refund.charge,
    status: refund.status,
    amount: refund.amount,
    currency: refund.currency,
    percent: percentOf(refund),
    rule: refund.rule ?? null,
    policy: refund.policy?.name ?? null,
    policy_version: refund.policy?.version ?? null,
    reason: refund.reason ?? null,
    trigger: refund.trigger,
    stripe_refund: refund.stripeRefund ?? null,
    failure_reason: refund.failureReason ?? null,
    retry_of: refund.retryOf ?? null,
    history: refund.history.map(({ status, at }) => ({ status, at: formatInstant(at) })),
    created_at: formatInstant(refund.createdAt),
    updated_at: formatInstant(refund.updatedAt)
  }
}

export function presentQuote(quote: Quote): z.input<typeof quoteOut> {
  return {
    refundable: quote.refundable,
    amount: quote.amount,
    currency: quote.currency,
    percent: percentOf(quote),
    rule: quote.rule,
    notice_hours: Math.floor((quote.noticeMs / 3_600_000) * 10_000) / 10_000,
    policy: quote.policy.name,
    policy_version: quote.policy.version,
    charged: quote.charged,
    already_refunded: quote.alreadyRefunded
  }
}

export function presentCharge(charge: Charge): z.input<typeof chargeOut> {
  return {
    id: charge.id,
    payment_intent: charge.paymentIntent ?? null,
    booking_id: charge.bookingId,
    captured: charge.captured,
    refunded: charge.refunded,
    currency: charge.currency,
    dispute: charge.dispute ? { id: charge.dispute.id, status: charge.dispute.status } : null
  }
}

function percentOf({ percentHundredths }: { percentHundredths?: number | undefined }): number | null {
  return percentHundredths === undefined ? null : percentHundredths / 100
}
