import { z } from 'zod'
import type { ResolveRequest } from '../core/booking-resolve.ts'
import { textIn } from './common.ts'

export const resolveIn = z
  .strictObject({
    outcome: z.enum(['confirmed', 'rejected']),
    calendly_invitee: textIn(500)
      .optional()
      .meta({ description: 'URI of the invitee; looked for at Calendly without it' })
  })
  .refine(({ outcome, calendly_invitee }) => outcome === 'confirmed' || calendly_invitee === undefined, {
    path: ['calendly_invitee'],
    message: 'goes with confirmed only'
  })
  .meta({ id: 'ResolveRequest' })

export function readResolve(body: z.output<typeof resolveIn>): ResolveRequest {
  return { outcome: body.outcome, invitee: body.calendly_invitee }
}
