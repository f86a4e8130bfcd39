import { actorOf, itself } from './audit.ts'
import { accepted, arrange, isForeign, isLive, type KeyOwner, type KeyPolicy } from './calendly-key.ts'
import { entryOf, rewrite } from './calendly-key-changes.ts'
import { tokensOf, withEnvironment } from './calendly-key-environment.ts'
import { announce } from './calendly-key-news.ts'
import { createOwnKeys, type LiveKey, toLiveKey } from './calendly-key-own.ts'
import {
  type CalendlyKeyRows,
  type CalendlyKeyTables,
  type KeptKey,
  sealPurpose,
  type TransactKeys,
  type Uses
} from './calendly-key-tables.ts'
import { connectedTenant as tenantId } from './connection.ts'
import type { System } from './system.ts'
import type { Vault } from './vault.ts'

type Named = Pick<LiveKey, 'name' | 'fingerprint'>
type Actor = { name: string }
const actorIs = (by: Actor | undefined) => (by ? actorOf(by) : itself)

type Deps = {
  system: Pick<System, 'now'>
  transact: TransactKeys
  keys: Pick<CalendlyKeyRows, 'list' | 'claimProbe'>
  vault: Vault
  /** By name, in order of preference. */
  environment: readonly { name: string; token: string }[]
  policy: KeyPolicy
  log: Record<'warn' | 'error', (fields: object, phrase: string) => void>
}

/**
 * The keys of the connected tenant with their tokens. Those of the environment are kept without one: a replica uses
 * the token that it was started with, also while the key of that name already belongs to a later one's.
 */
export function createCalendlyKeySource({ system, transact, keys, vault, environment, policy, log }: Deps) {
  const tokens = tokensOf(environment)
  const own = createOwnKeys(tokens, system)
  const unreadable = new Set<string>()
  let isSynchronized = false

  async function synchronize(): Promise<KeptKey[]> {
    const rows = await transact(async (tables) => {
      const before = await tables.calendlyKeys.lock(tenantId)
      const after = await rewrite(tables, before, withEnvironment(before, tokens, system.now()))
      for (const key of after.filter((one) => !find(before, one))) {
        await tables.audit.add(entryOf(key, 'added', itself, system.now()))
      }
      for (const key of before.filter(({ name }) => !after.some((one) => one.name === name))) {
        await tables.calendlyKeys.remove(tenantId, key.name)
        await tables.audit.add(entryOf(key, 'removed', itself, system.now()))
      }
      return after
    })
    isSynchronized = true
    for (const token of tokens.filter((one) => !find(rows, one))) {
      log.warn({ calendly_key: token.name }, 'the same Calendly token is there under another name')
    }
    return rows
  }

  /** The token of a key, where this replica has it. */
  function tokenOf(key: KeptKey): string | undefined {
    if (key.source === 'environment') return own.tokenOf(key)
    try {
      return key.sealedToken && vault.open(key.sealedToken, sealPurpose(key))
    } catch (error) {
      if (!unreadable.has(key.fingerprint)) {
        log.error({ err: error, calendly_key: key.name }, 'the token of a Calendly key cannot be decrypted')
      }
      unreadable.add(key.fingerprint)
      return undefined
    }
  }

  async function refuse(tables: CalendlyKeyTables, key: KeptKey, by?: Actor): Promise<void> {
    const { calendlyKeys, audit } = tables
    const entry = entryOf(key, 'refused', actorIs(by), system.now())
    const { detail, at } = entry
    const refused = { ...key, invalidSince: at }
    await calendlyKeys.put(refused)
    await announce(tables, refused, policy, [{ kind: 'invalid', occasion: String(at), detail, at }])
    await audit.add(entry)
  }

  return {
    tokenOf,

    /** Every key that is not revoked and whose token is known here, in the order in which they are asked. */
    async load(): Promise<readonly LiveKey[]> {
      const rows = isSynchronized ? await keys.list(tenantId) : await synchronize()
      own.see(rows)
      const live = arrange(rows.filter(isLive)).flatMap((key) => {
        const token = tokenOf(key)
        if (token !== undefined) return toLiveKey(key, token)
        return key.source === 'environment' ? own.displaced(key.name) : []
      })
      const lost = tokens.filter(({ name }) => !rows.some((key) => key.name === name))
      return [...live, ...lost.flatMap(({ name }) => own.displaced(name))]
    },

    /** Calendly accepted it. False: it is another organization's and must never be used. */
    async accepted(which: Named, owner: KeyOwner, by?: Actor): Promise<boolean> {
      const isOurs = await transact(async (tables) => {
        const { calendlyKeys, audit } = tables
        const rows = await calendlyKeys.lock(tenantId)
        const key = find(rows.filter(isLive), which)
        const others = rows.filter((row) => row !== key)
        if (isForeign(others, owner.organization)) {
          if (key && key.invalidSince === undefined) await refuse(tables, key, by)
          return false
        }
        const after = key && accepted(key, owner)
        if (!after || after === key) return true
        await calendlyKeys.put(after)
        await audit.add(entryOf(after, 'accepted', actorIs(by), system.now()))
        return true
      })
      if (isOurs) own.change(which.fingerprint, { ...owner, state: 'active', isInvalid: false })
      return isOurs
    },

    /** Calendly does not know the token any more. */
    async refused(which: Named, by?: Actor): Promise<void> {
      own.change(which.fingerprint, { isInvalid: true })
      const isNews = await transact(async (tables) => {
        const key = find((await tables.calendlyKeys.lock(tenantId)).filter(isLive), which)
        if (!key) return false
        // It has just been tried, so that the first probe is an interval away.
        await tables.calendlyKeys.claimProbe(key, 0)
        if (key.invalidSince !== undefined) return false
        await refuse(tables, key, by)
        return true
      })
      if (isNews)
        log.warn({ calendly_key: which.name, warning: 'invalid' }, 'a Calendly key should be replaced')
    },

    /** Whether an invalid key may be tried now: over all replicas once per interval. */
    async mayProbe({ name, fingerprint }: Named, intervalMs: number): Promise<boolean> {
      return own.isDisplaced(fingerprint)
        ? own.claimProbe(fingerprint, intervalMs)
        : keys.claimProbe({ tenantId, name, fingerprint }, intervalMs)
    },

    /** Adds calls by fingerprint. Counts nothing if it fails. */
    used: (calls: Uses): Promise<void> =>
      transact(({ calendlyKeys }) => calendlyKeys.addUses(tenantId, calls))
  }
}

export type CalendlyKeySource = ReturnType<typeof createCalendlyKeySource>

const find = (keys: readonly KeptKey[], { name, fingerprint }: Named) =>
  keys.find((key) => key.name === name && key.fingerprint === fingerprint)
