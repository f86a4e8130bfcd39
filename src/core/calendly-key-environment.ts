import { arrange, identityOf, isLive } from './calendly-key.ts'
import type { KeptKey } from './calendly-key-tables.ts'
import { connectedTenant } from './connection.ts'

export type EnvironmentToken = { name: string; token: string; fingerprint: string; lastFour: string }

export const tokensOf = (environment: readonly { name: string; token: string }[]): EnvironmentToken[] =>
  environment.map(({ name, token }) => ({ name, token, ...identityOf(token) }))

/**
 * The keys once the environment's tokens are among them. One that is known stays as it is, revoked ones too, whatever
 * name they had; any other is new. A token that is there twice counts once. Keys of the environment whose token has
 * left it go, but for those that say that a token was revoked.
 */
export function withEnvironment(
  keys: readonly KeptKey[],
  tokens: readonly EnvironmentToken[],
  now: number
): KeptKey[] {
  const ofApi = keys.filter(({ source }) => source === 'api')
  const seen = new Set(ofApi.filter(isLive).map(({ fingerprint }) => fingerprint))
  const single = tokens.filter(({ fingerprint }) => !seen.has(fingerprint) && seen.add(fingerprint))
  const names = new Set(single.map(({ name }) => name))
  const ofEnvironment = keys.filter(({ source }) => source === 'environment')
  const gone = ofEnvironment.filter((key) => !isLive(key) && !names.has(key.name))

  const own = single.map(({ name, fingerprint, lastFour }, index): KeptKey => {
    const before = keys.find((key) => key.name === name)
    if (before?.fingerprint === fingerprint) return before
    const priority = before?.priority ?? keys.length + index
    const known = keys.find((key) => key.fingerprint === fingerprint)
    if (known) return { ...known, name, priority, source: 'environment' }
    const anew = { state: 'pending', usageCount: 0, createdAt: now } as const
    return {
      tenantId: connectedTenant,
      name,
      source: 'environment',
      fingerprint,
      lastFour,
      priority,
      ...anew
    }
  })
  return arrange([...ofApi, ...gone, ...own])
}
