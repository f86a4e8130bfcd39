import { z } from 'zod'
import type { AvailabilityQuery } from '../core/availability.ts'
import type { Availability } from '../core/availability-answer.ts'
import { formatInstant } from '../core/instants.ts'
import { flagInQuery, instantInQuery, instantOut, listInQuery, timeZoneIn } from './common.ts'

const localeIn = z
  .string()
  .max(35)
  .refine((text) => {
    try {
      return Intl.DateTimeFormat.supportedLocalesOf(text).length > 0
    } catch {
      return false
    }
  }, 'is not a language we can write in')

export const availabilityIn = z.strictObject({
  event_type: listInQuery,
  start_time: instantInQuery,
  end_time: instantInQuery,
  timezone: timeZoneIn,
  explain: flagInQuery.default(false),
  fresh: flagInQuery.default(false),
  locale: localeIn.optional()
})

const localTime = z.string().meta({ description: 'Wall-clock time in the asked zone, with its offset' })

const slotOut = z.object({
  event_type: z.string(),
  start_time: instantOut,
  end_time: instantOut,
  local_start_time: localTime,
  local_end_time: localTime,
  formatted_start_time: z.string().optional(),
  formatted_end_time: z.string().optional(),
  spots_remaining: z.int(),
  scheduling_url: z.string().nullable()
})

export const availabilityOut = z
  .object({
    timezone: z.string(),
    as_of: instantOut,
    stale: z.boolean(),
    days: z.array(z.object({ date: z.iso.date(), slots: z.array(slotOut) })),
    excluded: z
      .array(
        z.object({
          event_type: z.string(),
          start_time: instantOut,
          reasons: z.array(z.enum(['hold', 'booking', 'buffer', 'minimum_notice', 'max_per_day']))
        })
      )
      .optional()
  })
  .meta({ id: 'Availability' })

export function readAvailability(query: z.output<typeof availabilityIn>): AvailabilityQuery {
  return {
    eventTypes: query.event_type,
    startTime: query.start_time,
    endTime: query.end_time,
    timeZone: query.timezone,
    fresh: query.fresh,
    locale: query.locale
  }
}

/** Writes an answer once, whoever else is given it; schema and serializer would take longer than everything else. */
export function createAvailabilityWriter() {
  const plain = new WeakMap<Availability, Buffer>()
  const explained = new WeakMap<Availability, Buffer>()

  return (found: Availability, explain: boolean): Buffer => {
    const written = explain ? explained : plain
    const known = written.get(found)
    if (known) return known
    const bytes = Buffer.from(JSON.stringify(presentAvailability(found, explain)))
    written.set(found, bytes)
    return bytes
  }
}

function presentAvailability(found: Availability, explain: boolean): z.input<typeof availabilityOut> {
  return {
    timezone: found.timeZone,
    as_of: formatInstant(found.asOf),
    stale: found.stale,
    days: found.days.map(({ date, slots }) => ({
      date,
      slots: slots.map((slot) => ({
        event_type: slot.eventType,
        start_time: formatInstant(slot.startTime),
        end_time: formatInstant(slot.endTime),
        local_start_time: slot.localStartTime,
        local_end_time: slot.localEndTime,
        ...(slot.formattedStartTime !== undefined && { formatted_start_time: slot.formattedStartTime }),
        ...(slot.formattedEndTime !== undefined && { formatted_end_time: slot.formattedEndTime }),
        spots_remaining: slot.spotsRemaining,
        scheduling_url: slot.schedulingUrl ?? null
      }))
    })),
    ...(explain && {
      excluded: found.excluded.map(({ eventType, startTime, reasons }) => ({
        event_type: eventType,
        start_time: formatInstant(startTime),
        reasons: [...reasons]
      }))
    })
  }
}
