import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
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
export const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest()

type KeyTables = IdempotencyTables & {
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
    revoke: (tenantId: string, id: string) => Promise<boolean>
  }
}

export function createCallers({ system, adminKey, transact, callerKeys }: Deps) {
  const admin: Caller = { tenantId: 'default', name: 'admin', scopes }
  const adminHash = hashOf(adminKey)

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
        if (execution.subject !== undefined) {
          await tables.callerKeys.revoke(caller.tenantId, execution.subject)
        }
        await tables.callerKeys.insert({ ...row, hash: hashOf(key) })
        await execution.begin(tables, row.id)
      })
      return { ...row, key }
    },

    list: (caller: Caller) => callerKeys.list(caller.tenantId),

    async revoke(caller: Caller, id: string): Promise<void> {
      if (!(await callerKeys.revoke(caller.tenantId, id))) throw new AppError('not_found')
    }
  }
}

export type Callers = ReturnType<typeof createCallers>
