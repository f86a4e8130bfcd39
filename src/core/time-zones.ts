import { createRequire } from 'node:module'
import { AppError } from './errors.ts'

// As CommonJS: its ES modules load all of date-fns, which costs every start a second.
const { formatInTimeZone }: typeof import('date-fns-tz') = createRequire(import.meta.url)('date-fns-tz')

const minuteMs = 60_000
const dayMs = 86_400_000

/** What each common abbreviation may mean. Several of them are IANA names too, and still ambiguous to a reader. */
const meanings: Readonly<Record<string, readonly string[]>> = {
  ACST: ['Australia/Darwin', 'Australia/Adelaide'],
  AEST: ['Australia/Brisbane', 'Australia/Sydney'],
  AEDT: ['Australia/Sydney', 'Australia/Melbourne'],
  AKST: ['America/Anchorage'],
  AKDT: ['America/Anchorage'],
  AST: ['America/Halifax', 'America/Puerto_Rico', 'Asia/Riyadh'],
  ADT: ['America/Halifax'],
  AWST: ['Australia/Perth'],
  BST: ['Europe/London', 'Asia/Dhaka', 'Pacific/Bougainville'],
  CAT: ['Africa/Maputo', 'Africa/Harare'],
  CDT: ['America/Chicago', 'America/Havana'],
  CEST: ['Europe/Berlin', 'Europe/Paris', 'Europe/Madrid'],
  CET: ['Europe/Berlin', 'Europe/Paris', 'Africa/Algiers'],
  CST: ['America/Chicago', 'America/Mexico_City', 'Asia/Shanghai', 'America/Havana'],
  EAT: ['Africa/Nairobi'],
  EDT: ['America/New_York', 'America/Toronto'],
  EEST: ['Europe/Helsinki', 'Europe/Athens', 'Europe/Kyiv'],
  EET: ['Europe/Helsinki', 'Europe/Athens', 'Africa/Cairo'],
  EST: ['America/New_York', 'America/Panama', 'America/Jamaica'],
  GST: ['Asia/Dubai', 'Atlantic/South_Georgia'],
  HKT: ['Asia/Hong_Kong'],
  HST: ['Pacific/Honolulu'],
  ICT: ['Asia/Bangkok', 'Asia/Ho_Chi_Minh'],
  IDT: ['Asia/Jerusalem'],
  IST: ['Asia/Kolkata', 'Europe/Dublin', 'Asia/Jerusalem'],
  JST: ['Asia/Tokyo'],
  KST: ['Asia/Seoul'],
  MDT: ['America/Denver'],
  MET: ['Europe/Berlin', 'Europe/Paris'],
  MSK: ['Europe/Moscow'],
  MST: ['America/Denver', 'America/Phoenix', 'Asia/Kuala_Lumpur'],
  NST: ['America/St_Johns'],
  NDT: ['America/St_Johns'],
  NZST: ['Pacific/Auckland'],
  NZDT: ['Pacific/Auckland'],
  PDT: ['America/Los_Angeles', 'America/Vancouver'],
  PHT: ['Asia/Manila'],
  PKT: ['Asia/Karachi'],
  PST: ['America/Los_Angeles', 'America/Tijuana', 'Asia/Manila'],
  SAST: ['Africa/Johannesburg'],
  SGT: ['Asia/Singapore'],
  WAT: ['Africa/Lagos'],
  WEST: ['Europe/Lisbon', 'Atlantic/Canary'],
  WET: ['Europe/Lisbon', 'Atlantic/Canary'],
  WIB: ['Asia/Jakarta']
}

/**
 * The IANA name that was meant, in its proper case.
 * Throws `ambiguous_timezone` for an abbreviation and `unknown_timezone` for everything else that is no IANA name.
 */
export function parseTimeZone(name: string): string {
  const zones = meanings[name.toUpperCase()]
  if (zones) {
    const [last = '', ...others] = zones.toReversed()
    const list = others.length > 0 ? `${others.toReversed().join(', ')} or ${last}` : last
    throw new AppError('ambiguous_timezone', `"${name}" may mean ${list}. Send an IANA name.`)
  }
  const known = canonical.get(name.toLowerCase())
  if (known !== undefined) return known
  // Intl also takes offsets such as "+01:00", which are no zones: they know no daylight saving.
  const resolved = /^[A-Za-z]/.test(name) ? resolve(name) : undefined
  if (resolved === undefined) {
    throw new AppError('unknown_timezone', 'Send an IANA time zone name such as "Europe/Berlin".')
  }
  return resolved.toLowerCase() === name.toLowerCase() ? resolved : name
}

/** Intl takes long to make a format of; nearly every question names one of these. */
const canonical: ReadonlyMap<string, string> = new Map(
  Intl.supportedValuesOf('timeZone').map((name) => [name.toLowerCase(), name])
)

function resolve(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return undefined
  }
}

/** Milliseconds to add to UTC to get wall-clock time in the zone at that moment. */
export function offsetMs(timeZone: string, at: number): number {
  // Not getTimezoneOffset: it takes the moment for wall-clock time, and errs for hours around a change.
  const offset = formatInTimeZone(new Date(at), timeZone, 'xxx')
  const [hours = 0, minutes = 0] = offset.slice(1).split(':').map(Number)
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * minuteMs
}

/**
 * Writes moments as wall-clock time with its offset, RFC 3339: `2026-12-01T16:00:00+01:00`.
 * Offsets are remembered per day and, where the clocks change, per quarter of an hour, the grid on which they do.
 */
export function createLocalClock(timeZone: string) {
  const quarterMs = 15 * minuteMs
  const offsets = new Map<number, number>()
  const days = new Map<number, number | undefined>()

  function offsetAtStartOf(lengthMs: number, at: number): number {
    const start = Math.floor(at / lengthMs) * lengthMs
    const offset = offsets.get(start) ?? offsetMs(timeZone, start)
    offsets.set(start, offset)
    return offset
  }

  /** Of a day whose two ends agree; a zone does not change its clocks and back within one. */
  function offsetOfDay(at: number): number | undefined {
    const day = Math.floor(at / dayMs)
    if (!days.has(day)) {
      const offset = offsetAtStartOf(dayMs, at)
      days.set(day, offset === offsetAtStartOf(dayMs, at + dayMs) ? offset : undefined)
    }
    return days.get(day)
  }

  const offsetAt = (at: number) => offsetOfDay(at) ?? offsetAtStartOf(quarterMs, at)

  function format(at: number): string {
    const offset = offsetAt(at)
    const wall = new Date(at + offset).toISOString().slice(0, 19)
    if (offset === 0) return `${wall}+00:00`
    const minutes = Math.round(Math.abs(offset) / minuteMs)
    return `${wall}${offset < 0 ? '-' : '+'}${twoDigits(Math.floor(minutes / 60))}:${twoDigits(minutes % 60)}`
  }

  return { format, date: (at: number) => format(at).slice(0, 10) }
}

const twoDigits = (n: number) => String(n).padStart(2, '0')

/** A reader's rendering of a moment, such as "Dienstag, 1. Dezember 2026 um 16:00 MEZ". */
export function createReader(timeZone: string, locale: string): (at: number) => string {
  const format = new Intl.DateTimeFormat(locale, {
    timeZone,
    weekday: 'long',
    year: 'numeric',
    month: 'long',
    day: 'numeric',
    hour: 'numeric',
    minute: '2-digit',
    timeZoneName: 'short'
  })
  return (at) => format.format(at)
}

export type TimeZone = { name: string; offsetMinutes: number; abbreviation: string }

/** Every zone the runtime knows, as it stands at that moment. */
export function listTimeZones(at: number): TimeZone[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone').filter((name) => name !== 'UTC')].map((name) => ({
    name,
    offsetMinutes: offsetMs(name, at) / minuteMs,
    abbreviation: abbreviationOf(name, at)
  }))
}

function abbreviationOf(timeZone: string, at: number): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'short' }).formatToParts(at)
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC'
}
