import { AppError } from './errors.ts'

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
