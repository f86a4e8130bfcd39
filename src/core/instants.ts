import { AppError } from './errors.ts'

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})?$/

const firstInstant = Date.UTC(1900)
const lastInstant = Date.UTC(9000)

/**
 * RFC 3339 → epoch milliseconds. Throws `local_time` when the offset is missing and
 * `validation_failed` for everything else that names no moment, such as 30 February.
 */
export function parseInstant(text: string): number {
  const parts = rfc3339.exec(text)
  if (!parts) throw new AppError('validation_failed', 'is not an RFC 3339 time such as 2026-12-01T15:00:00Z')
  if (parts[8] === undefined) {
    throw new AppError('local_time', 'has no offset: add Z or one such as +01:00')
  }
  const [, year, month, day] = parts.map(Number)
  const isDate = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === day
  const at = isDate ? Date.parse(text.toUpperCase()) : Number.NaN
  // The far ends of the calendar are no times to meet, and not every database can hold them.
  if (!(at > firstInstant && at < lastInstant))
    throw new AppError('validation_failed', 'is not a moment of the calendar')
  return at
}

/** RFC 3339 in UTC; whole seconds as Calendly and callers write them, milliseconds only where there are some. */
export function formatInstant(at: number): string {
  const text = new Date(at).toISOString()
  return text.endsWith('.000Z') ? `${text.slice(0, 19)}Z` : text
}
