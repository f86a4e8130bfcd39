import { createHash } from 'node:crypto'
import type { KeySource, LiveKey, Owner, Use } from '../../src/calendly/keys.ts'
import type { BookingQuota } from '../../src/calendly/quota.ts'

export type GivenKey = Partial<LiveKey> & { token: string }

export const testOwner: Owner = {
  user: 'https://api.calendly.com/users/U1',
  organization: 'https://api.calendly.com/organizations/O1'
}

/** A verified key of the usual owner, but for what is given. */
export function testKey({ token, ...given }: GivenKey): LiveKey {
  return {
    name: 'primary',
    token,
    fingerprint: createHash('sha256').update(token).digest('hex'),
    lastFour: token.slice(-4),
    state: 'active',
    isInvalid: false,
    ...(given.state !== 'pending' && testOwner),
    ...given
  }
}

/** The keys in memory, in the order given, and everything that their source was told. */
export function createTestKeys(...given: GivenKey[]) {
  let keys = given.map(testKey)
  let fault: Error | undefined
  const told = {
    accepted: [] as string[],
    refused: [] as string[],
    probed: [] as { name: string; intervalMs: number }[],
    used: new Map<string, Use>(),
    loads: 0
  }
  const change = ({ fingerprint }: LiveKey, changes: Partial<LiveKey>) => {
    keys = keys.map((key) => (key.fingerprint === fingerprint ? { ...key, ...changes } : key))
  }
  const reachable = () => {
    if (fault) throw fault
  }

  const source: KeySource = {
    async load() {
      told.loads++
      reachable()
      return keys
    },
    async accepted(key, owner) {
      reachable()
      const others = keys.filter(({ fingerprint }) => fingerprint !== key.fingerprint)
      const organization = others.find((other) => other.state !== 'pending')?.organization
      if (organization !== undefined && organization !== owner.organization) return false
      told.accepted.push(key.name)
      change(key, { ...owner, state: key.state === 'pending' ? 'active' : key.state, isInvalid: false })
      return true
    },
    async refused(key) {
      reachable()
      told.refused.push(key.name)
      change(key, { isInvalid: true })
    },
    async mayProbe({ name }, intervalMs) {
      reachable()
      told.probed.push({ name, intervalMs })
      return true
    },
    async used(calls) {
      reachable()
      for (const [fingerprint, { count, lastUsedAt }] of calls) {
        const before = told.used.get(fingerprint)?.count ?? 0
        told.used.set(fingerprint, { count: before + count, lastUsedAt })
      }
    }
  }
  return {
    source,
    told,
    keys: () => keys,
    /** As another replica or the API does. */
    set: (...next: GivenKey[]) => {
      keys = next.map(testKey)
    },
    /** How the source fails from now on; nothing for not at all. */
    fail: (error?: Error) => {
      fault = error
    }
  }
}

/** Bookings counted in memory, on the clock given. */
export function createTestBookingQuota({ now }: { now: () => number }): BookingQuota {
  const calls: { id: number; user: string; sentAt: number }[] = []
  let ids = 0
  const within = (user: string, windowMs: number) =>
    calls.filter((call) => call.user === user && call.sentAt > now() - windowMs)
  return {
    async take(user, limits) {
      const waits = limits.map(({ limit, windowMs }) => {
        const sent = within(user, windowMs)
        const leaving = sent[sent.length - limit]
        return leaving ? leaving.sentAt + windowMs - now() : 0
      })
      const waitMs = Math.max(0, ...waits)
      if (waitMs > 0) return { isGranted: false, waitMs }
      calls.push({ id: ++ids, user, sentAt: now() })
      return { isGranted: true, id: ids }
    },
    async giveBack(id) {
      const index = calls.findIndex((call) => call.id === id)
      if (index >= 0) calls.splice(index, 1)
    },
    sentWithin: async (user, windowMs) => within(user, windowMs).map(({ sentAt }) => sentAt)
  }
}
