import type { Caller } from './callers.ts'
import { connectedTenant, requireConnection } from './connection.ts'
import type { Cursors } from './cursor.ts'
import { AppError } from './errors.ts'
import type { Execution, IdempotencyTables } from './idempotency.ts'
import {
  defaultReachMs,
  longestRangeMs,
  type Reconciliation,
  type ReconciliationKind,
  type ReconciliationRange,
  type ReconciliationTables,
  requestReconciliation
} from './reconciliation.ts'
import type { System } from './system.ts'

const dayMs = 86_400_000

type Tables = ReconciliationTables & IdempotencyTables

type Deps = {
  system: Pick<System, 'now' | 'id'>
  cursors: Cursors
  transact: <T>(work: (tables: Tables) => Promise<T>) => Promise<T>
  reads: {
    find: (tenantId: string, id: string) => Promise<Reconciliation | undefined>
    list: (
      tenantId: string,
      page: { before?: string | undefined; limit: number }
    ) => Promise<Reconciliation[]>
  }
  /** Whether there is a key that Calendly, or Stripe, may accept. */
  isConnected: (kind: ReconciliationKind) => boolean
}

type Wanted = Pick<Reconciliation, 'kind'> & ReconciliationRange

/** Comparisons with Calendly and with Stripe that callers ask for, and what came of them. */
export function createReconciliations({ system, cursors, transact, reads, isConnected }: Deps) {
  return {
    /** Throws `validation_failed` and `range_too_long`, and `calendly_unavailable` or `stripe_unavailable` without a key. */
    async request(caller: Caller, wanted: Wanted, execution: Execution): Promise<Reconciliation> {
      if (execution.subject !== undefined) return get(caller, execution.subject)
      check(wanted, system.now())
      const { tenantId, name } = caller
      if (wanted.kind === 'calendly') requireConnection(tenantId)
      if (tenantId !== connectedTenant || !isConnected(wanted.kind)) throw away(wanted.kind)
      return transact(async (tables) => {
        const by = { tenantId, trigger: 'request', requestedBy: name } as const
        const queued = await requestReconciliation(tables, system, { ...wanted, ...by })
        await execution.begin(tables, queued.id)
        return queued
      })
    },

    get,

    /** Newest first. */
    async list(
      { tenantId }: Caller,
      { cursor, limit }: { cursor?: string | undefined; limit: number }
    ): Promise<{ reconciliations: Reconciliation[]; nextCursor: string | null }> {
      const before = cursor === undefined ? undefined : cursors.decode('reconciliations', cursor)
      const page = await reads.list(tenantId, { before, limit: limit + 1 })
      const reconciliations = page.slice(0, limit)
      const last = page.length > limit ? reconciliations.at(-1) : undefined
      return { reconciliations, nextCursor: last ? cursors.encode('reconciliations', last.id) : null }
    }
  }

  async function get({ tenantId }: Caller, id: string): Promise<Reconciliation> {
    const found = await reads.find(tenantId, id)
    if (!found) throw new AppError('not_found')
    return found
  }
}

export type Reconciliations = ReturnType<typeof createReconciliations>

function check({ kind, from, to }: Wanted, now: number): void {
  const reachMs = defaultReachMs[kind]
  const begin = from ?? now - reachMs
  if (to !== undefined && to <= begin) {
    const reach = reachMs === dayMs ? 'a day' : `${reachMs / dayMs} days`
    throw invalid('#/to', `must be after from, which is ${reach} ago unless given`)
  }
  if ((to ?? now) - begin > longestRangeMs) {
    throw new AppError('range_too_long', 'Ask for two years at most.')
  }
}

const away = (kind: ReconciliationKind) =>
  kind === 'calendly'
    ? new AppError('calendly_unavailable', 'There is no Calendly key to ask with.')
    : new AppError('stripe_unavailable', 'No Stripe account is connected.')

const invalid = (pointer: string, detail: string) =>
  new AppError('validation_failed', undefined, { faults: [{ pointer, detail }] })
