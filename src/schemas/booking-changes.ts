import { z } from 'zod'
import type { CancelRequest } from '../core/cancel-request.ts'
import type { RescheduleRequest } from '../core/reschedule-refusals.ts'
import { bookingOut } from './bookings.ts'
import { instantIn, textIn } from './common.ts'
import { amountIn, refundOut } from './refunds.ts'

export const cancelIn = z.strictObject({
  reason: textIn(10_000, 0).optional(),
  canceler_type: z.enum(['invitee', 'host', 'system']),
  refund: z
    .union([z.enum(['policy', 'full', 'none']), z.strictObject({ amount: amountIn })])
    .default('policy'),
  scope: z.enum(['event']).optional()
})

export function readCancel(body: z.output<typeof cancelIn>): CancelRequest {
  return {
    reason: body.reason,
    cancelerType: body.canceler_type,
    refund: body.refund,
    scope: body.scope ?? 'invitee'
  }
}

export const canceledOut = z.object({
  booking: bookingOut,
  refund: refundOut.nullable().meta({ description: 'What its cancellation refunds, once that is decided' })
})

export const rescheduleIn = z.strictObject({
  start_time: instantIn,
  hold_id: textIn(64).optional().meta({ description: 'A hold of the new time' }),
  cancel_first: z.boolean().default(false).meta({
    description: 'Gives up the old time first; it is booked again should the new one be refused'
  })
})

export function readReschedule(body: z.output<typeof rescheduleIn>): RescheduleRequest {
  return { startTime: body.start_time, holdId: body.hold_id, cancelFirst: body.cancel_first }
}
