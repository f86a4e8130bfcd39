import { createHash } from 'node:crypto'
import { AppError } from './errors.ts'
import type { Vault } from './vault.ts'

/** How long an attempt may run before another request with its key may take it over. */
const leaseMs = 30_000

export type KeyedRequest = {
  tenantId: string
  /** The caller's name, not its key. */
  caller: string
  key: string
  method: string
  route: string
  fingerprint: string
}

export type KeyId = Pick<KeyedRequest, 'tenantId' | 'caller' | 'key'>
export type Answer = { status: number; headers: Readonly<Record<string, string>>; body: string }

/** What the store holds of a key. `answer` is sealed. */
export type KeyRow = {
  method: string
  route: string
  fingerprint: string
  epoch: number
  isLeased: boolean
  isExpired: boolean
  subject?: string | undefined
  answer?: Buffer | undefined
}

export type IdempotencyTables = {
  idempotency: {
    /** The row of the key, locked; made with a fresh lease when there was none (`isNew`). */
    lock: (request: KeyedRequest, leaseMs: number) => Promise<{ isNew: boolean; row: KeyRow }>
    /** Gives the key a new epoch and lease, keeping its subject. */
    takeOver: (id: KeyId, leaseMs: number) => Promise<number>
    /** Starts the key anew for another request, as if it had never been seen. */
    restart: (request: KeyedRequest, leaseMs: number) => Promise<number>
    /** Sets the recovery point and renews the lease; false when somebody else has taken over. */
    setSubject: (id: KeyId, epoch: number, subject: string | null, leaseMs: number) => Promise<boolean>
    finish: (id: KeyId, epoch: number, status: number, answer: Buffer) => Promise<void>
    /** Forgets a key under which nothing was begun; otherwise ends its lease so that a retry resumes. */
    release: (id: KeyId, epoch: number) => Promise<void>
  }
}

/**
 * One run of a request under its key. What it begins is recorded in the transaction of the intent;
 * `subject` is what an earlier run, cut short, had begun.
 */
export type Execution = {
  subject: string | undefined
  begin: (tables: IdempotencyTables, subject: string) => Promise<void>
  /** Nothing happened after all: the key may be used for a fresh attempt. */
  forget: (tables: IdempotencyTables) => Promise<void>
}

export type Attempt = { execution: Execution; id: KeyId; epoch: number }

type Deps = {
  vault: Vault
  transact: <T>(work: (tables: IdempotencyTables) => Promise<T>) => Promise<T>
}

export function createIdempotency({ vault, transact }: Deps) {
  return {
    /** The stored answer to replay, or the attempt that may now run. */
    async start(request: KeyedRequest): Promise<{ replay: Answer } | { attempt: Attempt }> {
      return transact(async ({ idempotency }) => {
        const { isNew, row } = await idempotency.lock(request, leaseMs)
        if (isNew) return { attempt: attemptOf(request, row.epoch, undefined) }
        if (row.isExpired) {
          return { attempt: attemptOf(request, await idempotency.restart(request, leaseMs), undefined) }
        }
        if (
          row.fingerprint !== request.fingerprint ||
          row.method !== request.method ||
          row.route !== request.route
        ) {
          throw new AppError('idempotency_key_reused')
        }
        if (row.answer) return { replay: JSON.parse(vault.open(row.answer)) as Answer }
        if (row.isLeased) throw new AppError('idempotency_in_progress', undefined, { retryAfterMs: 1_000 })
        return { attempt: attemptOf(request, await idempotency.takeOver(request, leaseMs), row.subject) }
      })
    },

    /** Keeps an answer that was decided; anything else leaves the key open for another try. */
    async finish({ id, epoch }: Attempt, answer: Answer): Promise<void> {
      await transact(({ idempotency }) =>
        isFinal(answer.status)
          ? idempotency.finish(id, epoch, answer.status, vault.seal(JSON.stringify(answer)))
          : idempotency.release(id, epoch)
      )
    }
  }
}

export type Idempotency = ReturnType<typeof createIdempotency>

function isFinal(status: number): boolean {
  return status < 500 && status !== 401 && status !== 403 && status !== 429
}

function attemptOf({ tenantId, caller, key }: KeyedRequest, epoch: number, subject?: string): Attempt {
  const id = { tenantId, caller, key }
  const record = async ({ idempotency }: IdempotencyTables, subject: string | null) => {
    const isOurs = await idempotency.setSubject(id, epoch, subject, leaseMs)
    if (!isOurs) throw new AppError('idempotency_in_progress', undefined, { retryAfterMs: 1_000 })
  }
  return {
    id,
    epoch,
    execution: {
      subject,
      begin: (tables, subject) => record(tables, subject),
      forget: (tables) => record(tables, null)
    }
  }
}

/** The key of an `Idempotency-Key` header: 1–255 visible ASCII characters, bare or as a quoted string. */
export function parseIdempotencyKey(header: string): string {
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new AppError('invalid_idempotency_key', 'Send 1 to 255 visible ASCII characters.')
  }
  return key
}

/** Equal for requests that mean the same: neither the order of members nor white space counts. */
export function fingerprintOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(canonical(parts)).digest('hex')
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}
