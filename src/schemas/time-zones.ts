import { z } from 'zod'
import type { TimeZone } from '../core/time-zones.ts'
import { instantInQuery } from './common.ts'

export const timeZonesIn = z.strictObject({ at: instantInQuery.optional() })

export const timeZonesOut = z.object({
  data: z.array(
    z.object({ name: z.string(), offset_minutes: z.int().min(-1_440).max(1_440), abbreviation: z.string() })
  )
})

export function presentTimeZones(zones: readonly TimeZone[]): z.input<typeof timeZonesOut> {
  return {
    data: zones.map(({ name, offsetMinutes, abbreviation }) => ({
      name,
      offset_minutes: offsetMinutes,
      abbreviation
    }))
  }
}
