import { z } from 'zod'

/**
 * The grammar Calendly's bodies share. What the service cannot do without is required; everything else
 * turns to `undefined` when it is missing, null or of another type.
 */

export type Problem = {
  title: string
  message: string
  details: readonly {
    message?: string | undefined
    parameter?: string | undefined
    code?: string | undefined
  }[]
}

export type Page<T> = {
  items: readonly T[]
  nextPage?: string | undefined
  nextPageToken?: string | undefined
}

export function optional<S extends z.ZodType>(schema: S) {
  return schema.optional().catch(undefined)
}

export function orElse<S extends z.ZodType>(schema: S, value: z.output<S>) {
  return optional(schema).transform((found): z.output<S> => found ?? value)
}

/** Without what the database cannot keep, so that one odd name does not lose a booking: NUL, half a surrogate pair. */
export const string = z.string().overwrite((value) => value.replaceAll('\0', '').toWellFormed())
export const text = string.min(1)
export const count = z.int().nonnegative()

// Seen: microseconds, milliseconds, whole seconds. Calendly's times are UTC, so a bare one is read as such;
// Date.parse alone would take it for the machine's own zone.
const timestamp = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) ?(Z|UTC|[+-]\d{2}:?\d{2})?$/i

export const instant = z.string().transform((written, context) => {
  const [, day, time, zone = 'Z'] = timestamp.exec(written) ?? []
  const at = Date.parse(`${day}T${time}${/^utc$/i.test(zone) ? 'Z' : zone}`)
  if (Number.isFinite(at)) return at
  context.addIssue('not a timestamp')
  return z.NEVER
})

export function reader<S extends z.ZodType>(schema: S): (body: unknown) => z.output<S> | undefined {
  return (body) => schema.safeParse(body).data
}

export function resource<S extends z.ZodType>(schema: S) {
  return z
    .object({ resource: z.unknown() })
    .transform(({ resource }) => resource)
    .pipe(schema)
}

export function page<S extends z.ZodType>(schema: S) {
  return z
    .object({
      collection: z.array(schema),
      pagination: optional(z.object({ next_page: optional(text), next_page_token: optional(text) }))
    })
    .transform(
      ({ collection, pagination }): Page<z.output<S>> => ({
        items: collection,
        nextPage: pagination?.next_page,
        nextPageToken: pagination?.next_page_token
      })
    )
}

const problem = z.object({
  title: orElse(text, ''),
  message: orElse(text, ''),
  details: orElse(
    z.array(z.object({ message: optional(text), parameter: optional(text), code: optional(text) })),
    []
  )
})

const silence: Problem = { title: '', message: '', details: [] }

/** An error body; empty where there is none to read (a proxy's HTML, a 429 without a body). */
export function readProblem(body: unknown): Problem {
  return problem.safeParse(body).data ?? silence
}
