import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { type AuditEntry, type AuditTables, actorOf } from './audit.ts'
import { AppError } from './errors.ts'
import type { Execution, IdempotencyTables } from './idempotency.ts'
import { createId } from './ids.ts'
import type { System } from './system.ts'

export const scopes = [
  'availability:read',
  'bookings:read',
  'bookings:write',
  'refunds:read',
  'refunds:write',
  'events:read',
  'events:write',
  'analytics:read',
  'analytics:write',
  'keys:read',
  'keys:write',
  'admin'
] as const

export type Scope = (typeof scopes)[number]

/** Who is asking. Idempotency keys belong to the name, so that rotating a key doubles nothing. */
export type Caller = { tenantId: string; name: string; scopes: readonly string[] }

export type CallerKey = {
  id: string
  tenantId: string
  name: string
  scopes: readonly string[]
  createdAt: number
}

/** `:write` includes `:read`; `admin` includes nothing but itself. */
export function hasScope(caller: Caller, scope: Scope): boolean {
  return caller.scopes.includes(scope) || caller.scopes.includes(scope.replace(/:read$/, ':write'))
}

/** Keys carry 256 random bits, so a plain hash is enough: there is nothing to guess. */
export const hashOf = (key: string): Buffer => hash('sha256', key, 'buffer')

type KeyTables = IdempotencyTables &
  AuditTables & {
    callerKeys: {
      insert: (key: CallerKey & { hash: Buffer }) => Promise<void>
      revoke: (tenantId: string, id: string) => Promise<boolean>
    }
  }

type Deps = {
  system: System
  adminKey: string
  transact: <T>(work: (tables: KeyTables) => Promise<T>) => Promise<T>
  callerKeys: {
    findByHash: (hash: Buffer) => Promise<CallerKey | undefined>
    list: (tenantId: string) => Promise<CallerKey[]>
  }
}

export function createCallers({ system, adminKey, transact, callerKeys }: Deps) {
  const admin: Caller = { tenantId: 'default', name: 'admin', scopes }
  const adminHash = hashOf(adminKey)

  const entryOf = (caller: Caller, action: string, subject: string, detail: AuditEntry['detail']) => ({
    tenantId: caller.tenantId,
    at: system.now(),
    actor: actorOf(caller),
    action,
    subject,
    detail
  })

  /** False when there is no such live key. */
  async function revokeIn(tables: KeyTables, caller: Caller, id: string): Promise<boolean> {
    const isRevoked = await tables.callerKeys.revoke(caller.tenantId, id)
    if (isRevoked) await tables.audit.add(entryOf(caller, 'caller_key.revoked', id, {}))
    return isRevoked
  }

  return {
    /** Whose key this is; `undefined` for a key that is unknown or revoked. Only hashes are compared. */
    async authenticate(key: string): Promise<Caller | undefined> {
      const hash = hashOf(key)
      return timingSafeEqual(hash, adminHash) ? admin : callerKeys.findByHash(hash)
    },

    /** The key itself is in the answer and nowhere else. */
    async create(caller: Caller, wanted: { name: string; scopes: readonly Scope[] }, execution: Execution) {
      const key = `cgw_${randomBytes(32).toString('base64url')}`
      const row = {
        id: createId('key', system),
        tenantId: caller.tenantId,
        name: wanted.name,
        scopes: [...new Set(wanted.scopes)],
        createdAt: system.now()
      }
      await transact(async (tables) => {
        // A run that was cut short made a key that nobody has seen.
        if (execution.subject !== undefined) await revokeIn(tables, caller, execution.subject)
        await tables.callerKeys.insert({ ...row, hash: hashOf(key) })
        const detail = { name: row.name, scopes: row.scopes }
        await tables.audit.add(entryOf(caller, 'caller_key.created', row.id, detail))
        await execution.begin(tables, row.id)
      })
      return { ...row, key }
    },

    list: (caller: Caller) => callerKeys.list(caller.tenantId),

    async revoke(caller: Caller, id: string): Promise<void> {
      if (!(await transact((tables) => revokeIn(tables, caller, id)))) throw new AppError('not_found')
    }
  }
}

export type Callers = ReturnType<typeof createCallers>
