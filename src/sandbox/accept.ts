import { z } from 'zod'
import { ApiError, type Detail } from './errors.ts'
import { origin } from './identifiers.ts'

const undocumented = 'is not a documented parameter'

/** The value in the schema's shape, or Calendly's 400 with a detail for each parameter at fault. */
export function accept<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value ?? {}, { error: (issue) => wording(issue) })
  if (result.success) return result.data
  const details = result.error.issues.flatMap((issue): Detail[] =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ parameter: parameterOf([...issue.path, key]), message: undocumented }))
      : [{ parameter: parameterOf(issue.path), message: issue.message }]
  )
  const violations = details
    .filter(({ message }) => message === undocumented)
    .map(({ parameter }) => `${parameter} ${undocumented}`)
  throw new ApiError(400, { details, violations })
}

function wording(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.input === undefined) return 'is missing'
  if (issue.code === 'invalid_type') return `must be ${issue.expected}`
  if (issue.code === 'invalid_value') return `must be one of: ${issue.values.join(', ')}`
  return issue.code === 'custom' ? undefined : 'is invalid'
}

/** `questions_and_answers[0].question`, the way Calendly names a parameter. */
function parameterOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, key) => {
    if (typeof key === 'number') return `${name}[${key}]`
    return name ? `${name}.${String(key)}` : String(key)
  }, '')
}

/** An instant, as epoch milliseconds. */
export const instant = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))

/** A full resource URI of that collection. */
export const reference = (collection: string) =>
  z.string().refine((uri) => uri.startsWith(`${origin}/${collection}/`), { error: 'is not a valid URI' })

export const flag = z.enum(['true', 'false']).transform((text) => text === 'true')

export const timeZone = z.string().refine(isTimeZone, { error: 'is not a valid time zone' })

// Looking there first spares most names a formatter, which is slow to make.
const canonicalZones = new Set(Intl.supportedValuesOf('timeZone'))

function isTimeZone(name: string): boolean {
  if (canonicalZones.has(name)) return true
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

export const paging = {
  count: z.coerce.number().int().min(1).max(100).default(20),
  page_token: z.string().optional()
}

export const noQuery = z.strictObject({})
