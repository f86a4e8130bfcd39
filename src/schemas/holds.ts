import { z } from 'zod'
import type { Hold } from '../core/hold.ts'
import type { HoldRequest } from '../core/holds.ts'
import { formatInstant } from '../core/instants.ts'
import { instantIn, instantOut, textIn } from './common.ts'

export const holdIn = z
  .strictObject({
    event_type: textIn(500).meta({ description: 'Full Calendly URI or its last segment' }),
    start_time: instantIn,
    ttl_seconds: z.int().min(30).max(900).default(300)
  })
  .meta({ id: 'HoldRequest' })

export const holdOut = z
  .object({
    id: z.string(),
    event_type: z.string(),
    start_time: instantOut,
    end_time: instantOut,
    status: z.enum(['active', 'used', 'released', 'expired', 'lost']),
    expires_at: instantOut
  })
  .meta({ id: 'Hold' })

export const holdId = z.strictObject({ id: textIn(64) })

export function readHold(body: z.output<typeof holdIn>): HoldRequest {
  return { eventType: body.event_type, startTime: body.start_time, ttlMs: body.ttl_seconds * 1_000 }
}

export function presentHold(hold: Hold): z.input<typeof holdOut> {
  return {
    id: hold.id,
    event_type: hold.eventType,
    start_time: formatInstant(hold.startTime),
    end_time: formatInstant(hold.endTime),
    status: hold.status,
    expires_at: formatInstant(hold.expiresAt)
  }
}
