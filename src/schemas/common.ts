import { z } from 'zod'
import { alternativeReasons } from '../core/alternatives.ts'
import { conflictKinds } from '../core/conflict.ts'
import { AppError, type ProblemCode, problems } from '../core/errors.ts'
import { formatInstant, parseInstant } from '../core/instants.ts'
import { parseTimeZone } from '../core/time-zone-names.ts'

/** Lets the core judge a text; its code travels with the issue to the problem that names it. */
function judged<T>(judge: (text: string) => T) {
  return (text: string, context: z.RefinementCtx<string>): T => {
    try {
      return judge(text)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      context.addIssue({ code: 'custom', message: error.message, params: { code: error.code } })
      return z.NEVER
    }
  }
}

/** Text as the database can keep it: no NUL, no half of a surrogate pair. */
export const textIn = (longest: number, shortest = 1) =>
  z
    .string()
    .min(shortest)
    .max(longest)
    .refine((text) => text.isWellFormed() && !text.includes('\0'), 'holds a NUL or half a character')

const instantMeta = {
  format: 'date-time',
  description: 'RFC 3339 with an offset',
  examples: ['2026-12-01T15:00:00Z']
}

/** RFC 3339 with an offset → epoch milliseconds. */
export const instantIn = z.string().transform(judged(parseInstant)).meta(instantMeta)

/** The same in a query, where a `+` that was not percent-encoded arrives as a space. */
export const instantInQuery = z
  .string()
  .transform((text) => text.replace(/ (\d{2}:\d{2})$/, '+$1'))
  .pipe(instantIn)
  .meta(instantMeta)

export const instantOut = z.iso.datetime().meta({ description: 'RFC 3339, UTC' })

export const timeZoneIn = z
  .string()
  .max(64)
  .transform(judged(parseTimeZone))
  .meta({ description: 'IANA time zone name', examples: ['Europe/Berlin'] })

export const flagInQuery = z.enum(['true', 'false']).transform((text) => text === 'true')

/** One value or several: `?a=1&a=2`. */
export const listInQuery = z
  .union([textIn(500), z.array(textIn(500)).min(1)], 'is required, once or several times')
  .transform((value) => (typeof value === 'string' ? [value] : value))

const outOfPage = 'must be 1 to 200'

export const pageInQuery = {
  cursor: z
    .string()
    .transform((text) => text || undefined)
    .optional()
    .meta({ description: '`next_cursor` of the page before; left out or empty: from the beginning' }),
  limit: z
    .string()
    .regex(/^\d{1,3}$/, outOfPage)
    .default('50')
    // A number to who reads the document, though a query is text.
    .meta({ type: 'integer', minimum: 1, maximum: 200, default: 50, pattern: undefined })
    .transform(Number)
    .pipe(z.number().min(1, outOfPage).max(200, outOfPage))
}

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ data: z.array(item), next_cursor: z.string().nullable() })

export const conflictOut = z
  .object({
    kind: z.enum(conflictKinds),
    start_time: instantOut,
    end_time: instantOut,
    booking_id: z.string().optional()
  })
  .meta({ id: 'Conflict', description: 'Half-open: what ends at the start is no conflict' })

export const alternativeOut = z
  .object({
    event_type: z.string(),
    start_time: instantOut,
    end_time: instantOut,
    local_start_time: z.string().meta({ description: 'Wall-clock time with its offset' }),
    score: z.number().min(0).max(1),
    reasons: z.array(z.enum(alternativeReasons))
  })
  .meta({ id: 'Alternative', description: 'A time that can be booked now' })

export const problemOut = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(Object.keys(problems) as [ProblemCode, ...ProblemCode[]]),
    detail: z.string().optional(),
    instance: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
    conflicts: z
      .array(conflictOut)
      .optional()
      .meta({ description: 'With slot_unavailable: what has the time' }),
    reschedule_url: z
      .string()
      .nullable()
      .optional()
      .meta({ description: 'Where the invitee can still move it, on a page of Calendly' }),
    alternatives: z
      .array(alternativeOut)
      .optional()
      .meta({ description: 'With slot_unavailable: times that can be booked, the best first' })
  })
  .meta({ id: 'Problem', description: 'RFC 9457' })

export const noQuery = z.strictObject({})

/** Also the empty object, which clients send that know no POST without a body. */
export const noBody = noQuery.nullish()

export const noContent = z.undefined().meta({ description: 'Done' })

/** Every operation can end in a problem. */
export const withProblems = <T extends Record<number, unknown>>(responses: T) => ({
  ...responses,
  '4xx': { description: 'A problem', content: { 'application/problem+json': { schema: problemOut } } },
  '5xx': { description: 'A problem', content: { 'application/problem+json': { schema: problemOut } } }
})

export const optionalInstant = (at: number | undefined): string | null =>
  at === undefined ? null : formatInstant(at)
