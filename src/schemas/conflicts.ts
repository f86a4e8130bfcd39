import { z } from 'zod'
import { presentAlternative } from '../core/alternatives.ts'
import { presentConflict } from '../core/conflict.ts'
import type { Check, CheckRequest } from '../core/conflict-checks.ts'
import { alternativeOut, conflictOut, instantIn, textIn, timeZoneIn } from './common.ts'
import { holdOut, presentHold } from './holds.ts'

const eventTypeIn = textIn(500).meta({ description: 'Full Calendly URI or its last segment' })

export const checkIn = z
  .strictObject({
    event_type: eventTypeIn,
    start_time: instantIn,
    timezone: timeZoneIn.optional().meta({ description: 'Of the event type’s owner unless told otherwise' }),
    exclude_booking_id: textIn(64).optional().meta({ description: 'A booking that is not in the way' }),
    alternative_event_types: z
      .array(eventTypeIn)
      .max(1_000)
      .default([])
      .meta({ description: 'Up to 20 event types to look for alternatives in, besides the asked one' }),
    hold_first: z.boolean().default(false).meta({
      description: 'Also hold the asked time, or else the best alternative, for 300 s; needs `bookings:write`'
    })
  })
  .meta({ id: 'ConflictCheck' })

export const checkOut = z
  .object({
    available: z.boolean(),
    conflicts: z.array(conflictOut),
    alternatives: z.array(alternativeOut).meta({ description: 'At most 5, the best first' }),
    hold: holdOut.optional()
  })
  .meta({ id: 'ConflictAnswer' })

export function readCheck(body: z.output<typeof checkIn>): CheckRequest {
  return {
    eventType: body.event_type,
    startTime: body.start_time,
    timeZone: body.timezone,
    excludeBookingId: body.exclude_booking_id,
    alternativeEventTypes: body.alternative_event_types,
    holdFirst: body.hold_first
  }
}

export function presentCheck({ available, conflicts, alternatives, hold }: Check): z.input<typeof checkOut> {
  return {
    available,
    conflicts: conflicts.map(presentConflict),
    alternatives: alternatives.map(presentAlternative),
    ...(hold && { hold: presentHold(hold) })
  }
}
