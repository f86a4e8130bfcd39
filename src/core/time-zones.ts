import { createRequire } from 'node:module'

// As CommonJS: its ES modules load all of date-fns, which costs every start a second.
const { formatInTimeZone }: typeof import('date-fns-tz') = createRequire(import.meta.url)('date-fns-tz')

const minuteMs = 60_000
const dayMs = 86_400_000

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

  return {
    format,
    date: (at: number) => format(at).slice(0, 10),
    /** Minutes of the clock since midnight: 0 to 1439, on days of every length. */
    minuteOfDay: (at: number) => Math.floor(modulo(at + offsetAt(at), dayMs) / minuteMs)
  }
}

const modulo = (n: number, by: number) => ((n % by) + by) % by

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

/** The runtime still calls these by their former names; people look for the present ones. */
const renamed: Readonly<Record<string, string>> = {
  'Africa/Asmera': 'Africa/Asmara',
  'America/Buenos_Aires': 'America/Argentina/Buenos_Aires',
  'America/Coral_Harbour': 'America/Atikokan',
  'America/Godthab': 'America/Nuuk',
  'America/Indianapolis': 'America/Indiana/Indianapolis',
  'America/Louisville': 'America/Kentucky/Louisville',
  'Asia/Calcutta': 'Asia/Kolkata',
  'Asia/Katmandu': 'Asia/Kathmandu',
  'Asia/Rangoon': 'Asia/Yangon',
  'Asia/Saigon': 'Asia/Ho_Chi_Minh',
  'Atlantic/Faeroe': 'Atlantic/Faroe',
  'Europe/Kiev': 'Europe/Kyiv',
  'Pacific/Enderbury': 'Pacific/Kanton',
  'Pacific/Ponape': 'Pacific/Pohnpei',
  'Pacific/Truk': 'Pacific/Chuuk'
}

/** Every zone the runtime knows, as it stands at that moment. */
export function listTimeZones(at: number): TimeZone[] {
  const known = Intl.supportedValuesOf('timeZone').map((name) => renamed[name] ?? name)
  return [...new Set(['UTC', ...known.sort()])].map((name) => ({
    name,
    offsetMinutes: offsetMs(name, at) / minuteMs,
    abbreviation: abbreviationOf(name, at)
  }))
}

function abbreviationOf(timeZone: string, at: number): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'short' }).formatToParts(at)
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC'
}
