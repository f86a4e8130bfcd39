import { createHash } from 'node:crypto'

/** A Calendly credential as the service remembers it, without the token. */
export type CalendlyKey = {
  tenantId: string
  /** Those of the environment are called `primary` and `secondary`. */
  name: string
  source: 'environment' | 'api'
  /** SHA-256 of the token in hex: tells a token from its successor under the same name. */
  fingerprint: string
  lastFour: string
  /** `pending` until Calendly has accepted it once; `retiring` ones are still used, last. */
  state: 'pending' | 'active' | 'retiring' | 'revoked'
  /** 1 is asked first. */
  priority: number
  /** URIs of the owner and the owner's organization, known once verified. Limits are per user. */
  user?: string | undefined
  organization?: string | undefined
  /** Since when Calendly refuses it. */
  invalidSince?: number | undefined
  /** Of a retiring one: when it is revoked. */
  retireAt?: number | undefined
  usageCount: number
  lastUsedAt?: number | undefined
  createdAt: number
}

/** How often and how long a key should be used. One beyond that still works. */
export type KeyPolicy = { maxUsage: number; maxAgeDays: number }

export type KeyOwner = { user: string; organization: string }

const dayMs = 86_400_000
const rank = { pending: 0, active: 0, retiring: 1, revoked: 2 }

export const identityOf = (token: string) => ({
  fingerprint: createHash('sha256').update(token).digest('hex'),
  lastFour: token.slice(-4)
})

export const isLive = ({ state }: CalendlyKey): boolean => state !== 'revoked'

/** May be asked, and not only as a last resort. */
export const isInUse = ({ state, invalidSince }: CalendlyKey): boolean =>
  (state === 'active' || state === 'pending') && invalidSince === undefined

export const ageDaysOf = ({ createdAt }: CalendlyKey, now: number): number =>
  Math.max(0, Math.floor((now - createdAt) / dayMs))

/** `expiring` is an active key that should be replaced soon; it works all the same. */
export function shownState(key: CalendlyKey, policy: KeyPolicy, now: number) {
  return key.state === 'active' && warningsOf(key, policy, now).length > 0 ? 'expiring' : key.state
}

/** `restsUntil`: how long Calendly wants no call of the key's owner. */
export function healthOf({ invalidSince }: CalendlyKey, restsUntil: number | undefined, now: number) {
  if (invalidSince !== undefined) return 'invalid'
  return restsUntil !== undefined && restsUntil > now ? 'cooling' : 'ok'
}

/** What is to be said about a key that is in use, each once in its life. */
export function warningsOf(key: CalendlyKey, { maxUsage, maxAgeDays }: KeyPolicy, now: number) {
  if (key.state !== 'active') return []
  const age = (now - key.createdAt) / (maxAgeDays * dayMs)
  const warnings = {
    usage_80: key.usageCount >= 0.8 * maxUsage,
    age_60: age >= 60 / 90,
    age_75: age >= 75 / 90,
    age_85: age >= 85 / 90,
    expired: age >= 1
  }
  return Object.entries(warnings).flatMap(([kind, isDue]) => (isDue ? [kind] : []))
}

/** In the order in which they are asked, numbered by it; one that keeps its number stays the same object. */
export function arrange<K extends CalendlyKey>(keys: readonly K[]): K[] {
  return keys
    .toSorted((a, b) => rank[a.state] - rank[b.state] || a.priority - b.priority)
    .map((key, index) => (key.priority === index + 1 ? key : { ...key, priority: index + 1 }))
}

/** The named key asked first; the one that was first retires. */
export function promoted<K extends CalendlyKey>(keys: readonly K[], name: string, retireAt: number): K[] {
  const [first] = arrange(keys).filter(({ state }) => rank[state] === 0)
  return keys.map((key) => {
    if (first?.name === name) return key
    if (key.name === name) return { ...key, state: 'active', priority: 0, retireAt: undefined }
    return key.name === first?.name ? retired(key, retireAt) : key
  })
}

export const retired = <K extends CalendlyKey>(key: K, retireAt: number): K =>
  rank[key.state] === 0 ? { ...key, state: 'retiring', retireAt } : key

/** Its token goes with it. */
export const revoked = <K extends CalendlyKey & { sealedToken?: Buffer | undefined }>(key: K): K =>
  isLive(key) ? { ...key, state: 'revoked', retireAt: undefined, sealedToken: undefined } : key

/** The key as it is once Calendly has accepted it; the same object if that is no news. */
export function accepted<K extends CalendlyKey>(key: K, { user, organization }: KeyOwner): K {
  const isKnown = key.user === user && key.organization === organization
  if (isKnown && key.invalidSince === undefined && key.state !== 'pending') return key
  const state = key.state === 'pending' ? 'active' : key.state
  return { ...key, state, user, organization, invalidSince: undefined }
}

/** Whether the other keys, revoked ones too, belong to another organization: what was booked with them is there. */
export function isForeign(others: readonly CalendlyKey[], organization: string): boolean {
  return others.some((key) => key.organization !== undefined && key.organization !== organization)
}
