import { z } from 'zod'
import { defaultPolicy, mostTiers, type RefundPolicy } from '../core/refund-policy.ts'
import { pageOf } from './common.ts'

/** Exactly, in spite of binary fractions: of two decimals this makes the very number that was written. */
const hasTwoDecimals = (value: number) => Math.round(value * 100) / 100 === value
const twoDecimals = 'may have at most two decimals'

const percentWords = 'must be a number from 0 to 100'
const longestNotice = 87_600
const noticeWords = `must be a number from 0 to ${longestNotice}`

/** 0 to 100 with at most two decimals → hundredths. */
export const percentIn = z
  .number(percentWords)
  .min(0, percentWords)
  .max(100, percentWords)
  .refine(hasTwoDecimals, twoDecimals)
  .transform((percent) => Math.round(percent * 100))
  .meta({ description: '0 to 100, with at most two decimals' })

export const policyName = z.string().regex(/^[a-z0-9_-]{1,64}$/, 'must be 1 to 64 of a to z, 0 to 9, _ and -')

export const policyNameIn = z.strictObject({ name: policyName })

export const policyVersionIn = z.strictObject({
  version: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, 'must be a version, such as 2')
    .transform(Number)
    .optional()
    .meta({ description: 'The newest unless told otherwise' })
})

const noticeHours = z
  .number(noticeWords)
  .min(0, noticeWords)
  .max(longestNotice, noticeWords)
  .refine(hasTwoDecimals, twoDecimals)

/** What is not given is as in the built-in `default`. */
export const refundPolicyIn = z
  .strictObject({
    tiers: z.array(z.strictObject({ notice_hours: noticeHours, percent: percentIn })).meta({
      minItems: 1,
      maxItems: mostTiers,
      description: 'By falling notice; each counts from exactly that notice on'
    }),
    host_cancel_percent: percentIn.optional(),
    no_show_percent: percentIn.optional(),
    clock: z.enum(['start', 'first_start']).default('start').meta({
      description: 'Which start notice is counted to: the present one, or the one that was booked first'
    })
  })
  .meta({ id: 'RefundPolicyRequest' })

const percentOut = z.number().min(0).max(100)

export const refundPolicyOut = z
  .object({
    name: z.string(),
    version: z.int().min(1),
    tiers: z.array(z.object({ notice_hours: z.number().min(0), percent: percentOut })),
    host_cancel_percent: percentOut,
    no_show_percent: percentOut,
    clock: z.enum(['start', 'first_start'])
  })
  .meta({ id: 'RefundPolicy' })

export const refundPoliciesOut = pageOf(refundPolicyOut)

export function readRefundPolicy(
  name: string,
  body: z.output<typeof refundPolicyIn>
): Omit<RefundPolicy, 'version'> {
  return {
    name,
    tiers: body.tiers.map(({ notice_hours, percent }) => ({
      noticeHours: notice_hours,
      percentHundredths: percent
    })),
    hostCancelPercentHundredths: body.host_cancel_percent ?? defaultPolicy.hostCancelPercentHundredths,
    noShowPercentHundredths: body.no_show_percent ?? defaultPolicy.noShowPercentHundredths,
    clock: body.clock
  }
}

export function presentRefundPolicy(policy: RefundPolicy): z.input<typeof refundPolicyOut> {
  return {
    name: policy.name,
    version: policy.version,
    tiers: policy.tiers.map(({ noticeHours, percentHundredths }) => ({
      notice_hours: noticeHours,
      percent: percentHundredths / 100
    })),
    host_cancel_percent: policy.hostCancelPercentHundredths / 100,
    no_show_percent: policy.noShowPercentHundredths / 100,
    clock: policy.clock
  }
}
