import type { System } from './system.ts'

const prefixes = ['bkg', 'hld', 'lnk', 'rfd', 'evt', 'dlv', 'ep', 'key', 'ten', 'rec'] as const
type Prefix = (typeof prefixes)[number]
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** `bkg_01jd…`: a ULID (48 bits of time, 80 of chance) behind its kind, so that ids sort by the time they were made. */
export function createId(prefix: Prefix, { now, id }: Pick<System, 'now' | 'id'>): string {
  // The last 20 digits of a UUID but for its variant nibble are random.
  const chance = BigInt(`0x${id().replaceAll('-', '').slice(-20)}`)
  return `${prefix}_${base32(BigInt(now()), 10)}${base32(chance, 16)}`
}

function base32(value: bigint, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest >>= 5n) text = alphabet[Number(rest & 31n)] + text
  return text
}
