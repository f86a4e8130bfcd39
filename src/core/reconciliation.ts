import { createId } from './ids.ts'
import { emptyReport, type ReconciliationReport } from './reconciliation-report.ts'
import type { System } from './system.ts'

export type ReconciliationKind = 'calendly' | 'stripe'
export const reconciliationTriggers = ['start', 'schedule', 'gap', 'request'] as const
/** `gap`: after a time in which webhooks may have been missed. */
export type ReconciliationTrigger = (typeof reconciliationTriggers)[number]
export const reconciliationStatuses = ['queued', 'running', 'succeeded', 'failed'] as const

const dayMs = 86_400_000
export const longestRangeMs = 2 * 366 * dayMs

/** Who works on those of a kind holds this lease: while one neighbour is away, the other is compared all the same. */
export const reconciliationLeases: Readonly<Record<ReconciliationKind, string>> = {
  calendly: 'reconciliation',
  stripe: 'reconciliation with Stripe'
}

/** How far back it begins unless told otherwise: what was refunded longer ago than that does not fail any more. */
export const defaultReachMs: Readonly<Record<ReconciliationKind, number>> = {
  calendly: dayMs,
  stripe: 35 * dayMs
}

/** Bounds, half-open, open where absent: of the appointments' start times, or of when Stripe's refunds were made. */
export type ReconciliationRange = { from?: number | undefined; to?: number | undefined }

/** A comparison of what we have with what is so elsewhere, and what it found. */
export type Reconciliation = ReconciliationRange & {
  id: string
  tenantId: string
  kind: ReconciliationKind
  trigger: ReconciliationTrigger
  /** Who asked for it, of a `request`. */
  requestedBy?: string | undefined
  status: (typeof reconciliationStatuses)[number]
  /** How far it has come: what starts, or was made, before `from` is done. */
  place?: { from: number; at: number } | undefined
  report: ReconciliationReport
  /** Why it failed. */
  failure?: string | undefined
  createdAt: number
  startedAt?: number | undefined
  finishedAt?: number | undefined
}

/** Goes on where an earlier one was cut off. Returns early where the signal fires or another replica has taken over. */
export type ReconciliationRun = (of: Reconciliation, epoch: number, signal: AbortSignal) => Promise<void>

export type ReconciliationTables = {
  reconciliations: {
    insert: (wanted: Reconciliation) => Promise<void>
    update: (changed: Reconciliation) => Promise<void>
    /** What was begun, else the oldest that is queued. */
    next: (kind: ReconciliationKind) => Promise<Reconciliation | undefined>
    /** Removes queued ones of these triggers whose range lies within its own. */
    absorb: (by: Reconciliation, triggers: readonly ReconciliationTrigger[]) => Promise<void>
    /** Whether the kind's lease is still the one with this epoch; if so it stays that until the transaction ends. */
    isHeld: (epoch: number, kind: ReconciliationKind) => Promise<boolean>
  }
}

/** Queued once the transaction has been committed; any replica runs it. */
export async function requestReconciliation(
  { reconciliations }: { reconciliations: Pick<ReconciliationTables['reconciliations'], 'insert'> },
  system: Pick<System, 'now' | 'id'>,
  wanted: Pick<Reconciliation, 'tenantId' | 'kind' | 'trigger' | 'requestedBy'> & ReconciliationRange
): Promise<Reconciliation> {
  const now = system.now()
  const queued: Reconciliation = {
    ...wanted,
    from: wanted.from ?? now - defaultReachMs[wanted.kind],
    id: createId('rec', system),
    status: 'queued',
    report: emptyReport,
    createdAt: now
  }
  await reconciliations.insert(queued)
  return queued
}
