import { actorOf } from './audit.ts'
import { accepted, identityOf, isForeign, isLive, type KeyOwner } from './calendly-key.ts'
import { entryOf, rewrite } from './calendly-key-changes.ts'
import {
  type CalendlyKeyRows,
  type CalendlyKeyTables,
  type KeptKey,
  sealPurpose
} from './calendly-key-tables.ts'
import type { Caller } from './callers.ts'
import { requireConnection } from './connection.ts'
import { AppError } from './errors.ts'
import type { Execution, IdempotencyTables } from './idempotency.ts'
import type { System } from './system.ts'
import type { Vault } from './vault.ts'

/** Names that belong to the environment. */
const reserved = ['primary', 'secondary']

type Deps = {
  system: Pick<System, 'now'>
  transact: <T>(work: (tables: CalendlyKeyTables & IdempotencyTables) => Promise<T>) => Promise<T>
  keys: Pick<CalendlyKeyRows, 'list'>
  vault: Vault
  calendly: { identify: (token: string) => Promise<({ kind: 'accepted' } & KeyOwner) | { kind: 'refused' }> }
}

export type NewKey = { name: string; token: string }

/**
 * Verifies a token and keeps it as the last in order. Throws `validation_failed` for a name or token that is in use,
 * `key_rejected`, `key_other_organization` and `calendly_unavailable`.
 */
export function createAddition({ system, transact, keys, vault, calendly }: Deps) {
  return async function add(caller: Caller, { name, token }: NewKey, execution: Execution): Promise<void> {
    const { tenantId } = caller
    requireConnection(tenantId)
    const identity = identityOf(token)
    const known = await keys.list(tenantId)
    // A run that was cut short has kept it already.
    const isOurs = (key: KeptKey) => key.name === name && key.fingerprint === identity.fingerprint
    if (execution.subject === name && known.some(isOurs)) return
    refuseDouble(known, name, identity.fingerprint)
    const owner = await calendly.identify(token)
    if (owner.kind === 'refused') throw new AppError('key_rejected', 'Calendly refuses this token.')

    await transact(async (tables) => {
      const before = await tables.calendlyKeys.lock(tenantId)
      refuseDouble(before, name, identity.fingerprint)
      if (isForeign(before, owner.organization)) throw new AppError('key_other_organization')
      const at = system.now()
      const key = accepted<KeptKey>(
        {
          tenantId,
          name,
          source: 'api',
          ...identity,
          state: 'pending',
          priority: before.length + 1,
          usageCount: 0,
          createdAt: at,
          sealedToken: vault.seal(token, sealPurpose({ tenantId, name }))
        },
        owner
      )
      await rewrite(tables, before, [...before.filter((other) => other.name !== name), key])
      await tables.audit.add(entryOf(key, 'added', actorOf(caller), at))
      await execution.begin(tables, name)
    })
  }
}

function refuseDouble(keys: readonly KeptKey[], name: string, fingerprint: string): void {
  const refuse = (pointer: string, detail: string) => {
    throw new AppError('validation_failed', `${pointer.slice(2)}: ${detail}`, {
      faults: [{ pointer, detail }]
    })
  }
  if (reserved.includes(name)) refuse('#/name', 'belongs to the environment')
  const live = keys.filter(isLive)
  if (live.some((key) => key.name === name)) refuse('#/name', 'is in use')
  const same = live.find((key) => key.fingerprint === fingerprint)
  if (same) refuse('#/token', `is there already, as ${same.name}`)
}
