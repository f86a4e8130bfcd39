import { z } from 'zod'
import type { LinkRequest } from '../core/scheduling-links.ts'
import { textIn } from './common.ts'

export const schedulingLinkIn = z
  .strictObject({
    event_type: textIn(500).meta({ description: 'Full Calendly URI or its last segment' }),
    session_id: textIn(255)
      .optional()
      .meta({ description: 'The booking that is made through the link will carry it' }),
    invitee: z
      .strictObject({ name: textIn(255).optional(), email: z.email().max(254).optional() })
      .optional()
      .meta({ description: "Filled in on Calendly's page" })
  })
  .meta({ id: 'SchedulingLinkRequest' })

export function readSchedulingLink(body: z.output<typeof schedulingLinkIn>): LinkRequest {
  return { eventType: body.event_type, sessionId: body.session_id, invitee: body.invitee }
}

export const schedulingLinkOut = z
  .object({
    id: z.string(),
    booking_url: z.url().meta({ description: "On Calendly's page, for one booking" })
  })
  .meta({ id: 'SchedulingLink' })
