import type { System } from './system.ts'

const prefixes = ['bkg', 'hld', 'lnk', 'rfd', 'evt', 'dlv', 'ep', 'key', 'ten', 'rec'] as const
type Prefix = (typeof prefixes)[number]
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** `bkg_01jd…`: a ULID (48 bits of time, 80 of chance) behind its kind, so that ids sort by the time they were made. */
export function createId(prefix: Prefix, { now, id }: Pick<System, 'now' | 'id'>): string {
  // The last 20 digits of a UUID but for its variant nibble are random.
  const chance = id().replaceAll('-', '').slice(-20)
  let text = base32(now(), 10)
  // Twenty bits at a time are four digits, and no BigInt, which is slow.
  for (let at = 0; at < 20; at += 5) text += base32(Number.parseInt(chance.slice(at, at + 5), 16), 4)
  return `${prefix}_${text}`
}

function base32(value: number, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest = Math.floor(rest / 32)) text = alphabet[rest % 32] + text
  return text
}
