import { connectedTenant } from './connection.ts'
import {
  defaultReachMs,
  longestRangeMs,
  type Reconciliation,
  type ReconciliationKind,
  type ReconciliationRun,
  type ReconciliationTables,
  type ReconciliationTrigger,
  requestReconciliation
} from './reconciliation.ts'
import type { System } from './system.ts'

type Deps = {
  kind: ReconciliationKind
  system: Pick<System, 'now' | 'id'>
  intervalMs: number
  transact: <T>(work: (tables: ReconciliationTables) => Promise<T>) => Promise<T>
  reads: {
    /** Of those that nobody asked for. `coveredAt`: when the latest began that came to its end. */
    soFar: (
      tenantId: string,
      kind: ReconciliationKind
    ) => Promise<{
      isWaiting: boolean
      finishedAt?: number | undefined
      coveredAt?: number | undefined
      isSubscribed: boolean
    }>
  }
  run: ReconciliationRun
  /** Whether there is a key to ask with. */
  isConnected: () => boolean
}

/** What a run finds includes what these would have found: those that look at no-shows find more. */
const absorbed: Readonly<Record<ReconciliationTrigger, readonly ReconciliationTrigger[]>> = {
  gap: ['gap', 'start', 'schedule'],
  start: ['start', 'schedule'],
  schedule: ['start', 'schedule'],
  request: []
}

/** Runs comparisons of a kind one at a time: those asked for, and on start and on schedule. */
export function createReconciliationQueue(deps: Deps) {
  const { kind, system, intervalMs, transact, reads, run, isConnected } = deps
  const startedAt = system.now()

  return {
    /** Runs all that is queued, and first what was cut off. For whoever holds the kind's lease with this epoch. */
    async work(epoch: number, signal: AbortSignal): Promise<void> {
      if (!isConnected() || !(await requestIfDue(epoch))) return
      while (!signal.aborted) {
        const next = await take(epoch)
        if (!next) return
        await run(next, epoch, signal)
      }
    }
  }

  /**
   * On start, unless another replica has just done it, and on schedule. What happens before Calendly tells us of it
   * would be missed by a run before that: the first one waits for the subscription, or for its turn where none is kept.
   * False where the lease is lost.
   */
  async function requestIfDue(epoch: number): Promise<boolean> {
    const tenantId = connectedTenant
    const now = system.now()
    const { isWaiting, finishedAt, coveredAt, isSubscribed } = await reads.soFar(tenantId, kind)
    const isTold = isSubscribed || kind === 'stripe'
    const since = finishedAt ?? (isTold ? now - intervalMs : startedAt)
    if (isWaiting || now - since < intervalMs) return true
    const isFirst = finishedAt === undefined ? isTold : finishedAt + intervalMs <= startedAt
    const from = Math.max(Math.min(now, coveredAt ?? now) - defaultReachMs[kind], now - longestRangeMs)
    return transact(async (tables) => {
      if (!(await tables.reconciliations.isHeld(epoch, kind))) return false
      const trigger = isFirst ? 'start' : 'schedule'
      await requestReconciliation(tables, system, { tenantId, kind, trigger, from })
      return true
    })
  }

  async function take(epoch: number): Promise<Reconciliation | undefined> {
    return transact(async ({ reconciliations }) => {
      if (!(await reconciliations.isHeld(epoch, kind))) return undefined
      const next = await reconciliations.next(kind)
      if (next?.status !== 'queued') return next
      const begun: Reconciliation = { ...next, status: 'running', startedAt: system.now() }
      await reconciliations.update(begun)
      const triggers = absorbed[begun.trigger]
      if (triggers.length > 0) await reconciliations.absorb(begun, triggers)
      return begun
    })
  }
}
