import { itself } from './audit.ts'
import { ageDaysOf, type KeyPolicy, revoked, warningsOf } from './calendly-key.ts'
import { entryOf, rewrite } from './calendly-key-changes.ts'
import { announce } from './calendly-key-news.ts'
import {
  type CalendlyKeyRows,
  type KeptKey,
  type KeyNotice,
  sealPurpose,
  type TransactKeys
} from './calendly-key-tables.ts'
import { connectedTenant as tenantId } from './connection.ts'
import type { System } from './system.ts'
import type { Vault } from './vault.ts'

type Deps = {
  system: Pick<System, 'now'>
  transact: TransactKeys
  keys: Pick<CalendlyKeyRows, 'list' | 'reseal'>
  vault: Vault
  calendly: { syncKeys: () => Promise<void> }
  policy: KeyPolicy
  log: Record<'info' | 'warn', (fields: object, phrase: string) => void>
}

/** What happens to keys without being asked for. */
export function createUpkeep({ system, transact, keys, vault, calendly, policy, log }: Deps) {
  const isOver = ({ state, retireAt }: KeptKey) =>
    state === 'retiring' && retireAt !== undefined && retireAt <= system.now()

  async function revokeRetired(): Promise<void> {
    const gone = await transact(async (tables) => {
      const before = await tables.calendlyKeys.lock(tenantId)
      const gone = before.filter(isOver)
      await rewrite(
        tables,
        before,
        before.map((key) => (isOver(key) ? revoked(key) : key))
      )
      for (const key of gone) await tables.audit.add(entryOf(key, 'revoked', itself, system.now()))
      return gone
    })
    for (const { name } of gone) log.info({ calendly_key: name }, 'a retired Calendly key is revoked')
    if (gone.length > 0) await calendly.syncKeys()
  }

  async function warn(rows: readonly KeptKey[]): Promise<void> {
    const at = system.now()
    if (rows.every((key) => warningsOf(key, policy, at).length === 0)) return
    const given = await transact(async (tables) => {
      const given: KeyNotice[] = []
      for (const key of await tables.calendlyKeys.lock(tenantId)) {
        given.push(...(await announce(tables, key, policy, noticesOf(key, at))))
      }
      return given
    })
    for (const { name, kind, detail } of given) {
      log.warn({ calendly_key: name, warning: kind, ...detail }, 'a Calendly key should be replaced')
    }
  }

  function noticesOf(key: KeptKey, at: number) {
    const { lastFour, usageCount } = key
    const detail = { last_four: lastFour, age_days: ageDaysOf(key, at), usage_count: usageCount }
    return warningsOf(key, policy, at).map((kind) => ({ kind, occasion: '', detail, at }))
  }

  /** Puts the current encryption key's seal on tokens that carry the one before. */
  async function reseal(rows: readonly KeptKey[]): Promise<void> {
    for (const key of rows) {
      const sealed = key.sealedToken
      const fresh = sealed && resealed(sealed, sealPurpose(key))
      if (!fresh) continue
      await keys.reseal(key, sealed, fresh)
      log.info({ calendly_key: key.name }, 'the token of a Calendly key is encrypted anew')
    }
  }

  /** Nothing for what does not open: whoever needs the token says so. */
  function resealed(sealed: Buffer, purpose: string): Buffer | undefined {
    try {
      return vault.reseal(sealed, purpose)
    } catch {
      return undefined
    }
  }

  return {
    /** Revokes what has retired long enough, gives warnings that are due, encrypts anew. Any replica, at any time. */
    async maintain(): Promise<void> {
      const rows = await keys.list(tenantId)
      if (rows.some(isOver)) await revokeRetired()
      await warn(rows)
      await reseal(rows)
    }
  }
}
