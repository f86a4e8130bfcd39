import { isLive } from './calendly-key.ts'
import type { EnvironmentToken } from './calendly-key-environment.ts'
import type { KeptKey } from './calendly-key-tables.ts'
import type { System } from './system.ts'

/** A key with its token, as the client is given it. */
export type LiveKey = {
  name: string
  token: string
  fingerprint: string
  lastFour: string
  state: 'pending' | 'active' | 'retiring'
  user?: string | undefined
  organization?: string | undefined
  isInvalid: boolean
}

/**
 * The tokens this replica was started with. During a roll-out the row of a name belongs to the replica that started
 * last; one that is displaced by another token goes on with its own, and what it learns of it stays in memory.
 */
export function createOwnKeys(tokens: readonly EnvironmentToken[], { now }: Pick<System, 'now'>) {
  const known = new Map<string, LiveKey>()
  const probedAt = new Map<string, number>()
  let kept = new Set<string>()

  return {
    tokenOf: ({ name, fingerprint }: KeptKey): string | undefined =>
      tokens.find((own) => own.name === name && own.fingerprint === fingerprint)?.token,

    /** Takes note of what is kept of them. */
    see(rows: readonly KeptKey[]): void {
      kept = new Set(rows.map(({ fingerprint }) => fingerprint))
      for (const key of rows) {
        const token = key.source === 'environment' ? this.tokenOf(key) : undefined
        if (token !== undefined && isLive(key)) known.set(key.fingerprint, toLiveKey(key, token))
        else known.delete(key.fingerprint)
      }
    },

    isDisplaced: (fingerprint: string): boolean => known.has(fingerprint) && !kept.has(fingerprint),

    /** This replica's key of that name while another's is kept. */
    displaced(name: string): LiveKey[] {
      const fingerprint = tokens.find((own) => own.name === name)?.fingerprint ?? ''
      const key = kept.has(fingerprint) ? undefined : known.get(fingerprint)
      return key ? [key] : []
    },

    change(fingerprint: string, changes: Partial<LiveKey>): void {
      const key = known.get(fingerprint)
      if (key) known.set(fingerprint, { ...key, ...changes })
    },

    /** True once per interval. */
    claimProbe(fingerprint: string, intervalMs: number): boolean {
      if (now() - (probedAt.get(fingerprint) ?? 0) < intervalMs) return false
      probedAt.set(fingerprint, now())
      return true
    }
  }
}

export function toLiveKey(key: KeptKey, token: string): LiveKey {
  const { name, fingerprint, lastFour, state, user, organization, invalidSince } = key
  if (state === 'revoked') throw new Error('a revoked key has no token')
  return {
    name,
    token,
    fingerprint,
    lastFour,
    state,
    user,
    organization,
    isInvalid: invalidSince !== undefined
  }
}
