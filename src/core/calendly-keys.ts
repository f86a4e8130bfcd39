import { actorOf } from './audit.ts'
import { isInUse, isLive, type KeyOwner, type KeyPolicy, promoted, retired, revoked } from './calendly-key.ts'
import { createAddition, type NewKey } from './calendly-key-addition.ts'
import { entryOf, rewrite } from './calendly-key-changes.ts'
import { announce } from './calendly-key-news.ts'
import { type ShownKey, show, type UserQuota } from './calendly-key-shown.ts'
import type { CalendlyKeySource } from './calendly-key-source.ts'
import type { CalendlyKeyRows, CalendlyKeyTables, KeptKey } from './calendly-key-tables.ts'
import { createUpkeep } from './calendly-key-upkeep.ts'
import type { Caller } from './callers.ts'
import { AppError } from './errors.ts'
import type { Execution, IdempotencyTables } from './idempotency.ts'
import type { System } from './system.ts'
import type { Vault } from './vault.ts'

/** How long a retiring key is still asked, last, before it is revoked. */
const retirementMs = 24 * 3_600_000

type Deps = {
  system: Pick<System, 'now'>
  transact: <T>(work: (tables: CalendlyKeyTables & IdempotencyTables) => Promise<T>) => Promise<T>
  keys: Pick<CalendlyKeyRows, 'list' | 'reseal'>
  source: Pick<CalendlyKeySource, 'tokenOf' | 'accepted' | 'refused'>
  vault: Vault
  calendly: {
    /** Whose token it is. Throws `calendly_unavailable`. */
    identify: (token: string) => Promise<({ kind: 'accepted' } & KeyOwner) | { kind: 'refused' }>
    /** Takes up what has changed, here and now. */
    syncKeys: () => Promise<void>
    quotas: () => Promise<readonly UserQuota[]>
  }
  policy: KeyPolicy
  log: Record<'info' | 'warn', (fields: object, phrase: string) => void>
}

/** The Calendly keys of a tenant: shown, added, rotated and revoked while the service runs. */
export function createCalendlyKeys(deps: Deps) {
  const { system, transact, keys, source, calendly, policy, log } = deps
  const keep = createAddition(deps)

  async function list({ tenantId }: Pick<Caller, 'tenantId'>): Promise<ShownKey[]> {
    const [rows, quotas] = await Promise.all([keys.list(tenantId), calendly.quotas()])
    return rows.map((key) => {
      const quota = quotas.find(({ user }) => user === key.user)
      // A replica that is not up to date does not have every token of the environment.
      const isReadable = key.source === 'environment' || !isLive(key) || source.tokenOf(key) !== undefined
      return show({ key, isReadable, quota, policy, now: system.now() })
    })
  }

  /** The key once this replica follows what was changed, as the others do within seconds. */
  async function takeUp(caller: Caller, name: string): Promise<ShownKey> {
    await calendly.syncKeys().catch((error: unknown) => {
      log.warn({ err: error }, 'Calendly keys not taken up yet')
    })
    return getNamed(await list(caller), name)
  }

  /** Decides on the locked keys and writes what became different, with who did it; nothing if nothing did. */
  async function change(
    caller: Caller,
    name: string,
    action: 'promoted' | 'retired' | 'revoked',
    decide: (key: KeptKey, keys: readonly KeptKey[]) => readonly KeptKey[]
  ): Promise<void> {
    const after = await transact(async (tables) => {
      const before = await tables.calendlyKeys.lock(caller.tenantId)
      const after = await rewrite(tables, before, decide(getNamed(before, name), before))
      if (after.every((key) => before.includes(key))) return after
      const key = getNamed(after, name)
      const entry = entryOf(key, action, actorOf(caller), system.now())
      await tables.audit.add(entry)
      if (action === 'promoted') {
        const { detail, at } = entry
        await announce(tables, key, policy, [{ kind: 'rotated', occasion: String(at), detail, at }])
      }
      return after
    })
    if (!after.some(isInUse)) log.warn({ calendly_key: name }, 'no active Calendly key is left')
  }

  /** Asks Calendly about a kept key. Throws `not_found`, and `key_rejected` when there is no token to ask with. */
  async function identify(caller: Caller, name: string): Promise<{ key: KeptKey; isAccepted: boolean }> {
    const key = getNamed(await keys.list(caller.tenantId), name)
    if (!isLive(key)) throw new AppError('key_rejected', 'The key is revoked.')
    const token = source.tokenOf(key)
    if (token === undefined) throw new AppError('key_rejected', 'The token of this key cannot be read here.')
    const answer = await calendly.identify(token)
    if (answer.kind === 'refused') {
      await source.refused(key, caller)
      return { key, isAccepted: false }
    }
    if (!(await source.accepted(key, answer, caller))) throw new AppError('key_other_organization')
    return { key, isAccepted: true }
  }

  return {
    list,

    async add(caller: Caller, wanted: NewKey, execution: Execution): Promise<ShownKey> {
      await keep(caller, wanted, execution)
      return takeUp(caller, wanted.name)
    },

    /** Asks Calendly now. What it refuses is `invalid`, what it accepts again is `ok` at once. */
    async verify(caller: Caller, name: string): Promise<ShownKey> {
      await identify(caller, name)
      return takeUp(caller, name)
    },

    /** Verifies it and asks it first from now on; the one that was first retires. */
    async promote(caller: Caller, name: string): Promise<ShownKey> {
      const { key, isAccepted } = await identify(caller, name)
      if (!isAccepted) throw new AppError('key_rejected', 'Calendly refuses the token of this key.')
      await change(caller, name, 'promoted', (present, all) => {
        if (!isLive(present)) throw new AppError('key_rejected', 'The key is revoked.')
        if (present.fingerprint !== key.fingerprint)
          throw new AppError('key_rejected', 'The token has changed.')
        return promoted(all, name, system.now() + retirementMs)
      })
      return takeUp(caller, name)
    },

    /** Still used, last, for 24 h, then revoked. */
    async retire(caller: Caller, name: string): Promise<ShownKey> {
      await change(caller, name, 'retired', (key, all) =>
        all.map((one) => (one === key ? retired(one, system.now() + retirementMs) : one))
      )
      return takeUp(caller, name)
    },

    /** Never used again; its token is erased. */
    async revoke(caller: Caller, name: string): Promise<void> {
      await change(caller, name, 'revoked', (key, all) =>
        all.map((one) => (one === key ? revoked(one) : one))
      )
      await takeUp(caller, name)
    },

    ...createUpkeep(deps)
  }
}

export type CalendlyKeys = ReturnType<typeof createCalendlyKeys>

function getNamed<K extends { name: string }>(keys: readonly K[], name: string): K {
  const key = keys.find((one) => one.name === name)
  if (!key) throw new AppError('not_found')
  return key
}
