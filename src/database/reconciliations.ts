import { type Kysely, type Selectable, sql } from 'kysely'
import {
  type Reconciliation,
  type ReconciliationTables,
  reconciliationLeases
} from '../core/reconciliation.ts'
import type { ReconciliationReport, ReconciliationTotals } from '../core/reconciliation-report.ts'
import { instant } from './instant.ts'
import { isCurrentEpoch } from './leases.ts'
import type { Tables } from './tables.ts'

export function createReconciliations(db: Kysely<Tables>): ReconciliationTables['reconciliations'] {
  return {
    async insert(wanted) {
      await db.insertInto('reconciliations').values(toRow(wanted)).execute()
    },

    async update(changed) {
      await db
        .updateTable('reconciliations')
        .set(toRow(changed))
        .where('tenant_id', '=', changed.tenantId)
        .where('id', '=', changed.id)
        .execute()
    },

    async next(kind) {
      const row = await db
        .selectFrom('reconciliations')
        .selectAll()
        .where('status', 'in', ['queued', 'running'])
        .where('kind', '=', kind)
        .orderBy(sql`status = 'running'`, 'desc')
        .orderBy('id')
        .limit(1)
        .executeTakeFirst()
      return row && toReconciliation(row)
    },

    async absorb({ id, tenantId, kind, from, to }, triggers) {
      let inside = db
        .deleteFrom('reconciliations')
        .where('tenant_id', '=', tenantId)
        .where('kind', '=', kind)
        .where('status', '=', 'queued')
        .where('trigger', 'in', triggers)
        .where('id', '<>', id)
      if (from !== undefined) inside = inside.where('range_from', '>=', at(from))
      if (to !== undefined) inside = inside.where('range_to', '<=', at(to))
      await inside.execute()
    },

    isHeld: (epoch, kind) => isCurrentEpoch(db, reconciliationLeases[kind], epoch)
  }
}

export async function findReconciliation(
  db: Kysely<Tables>,
  tenantId: string,
  id: string
): Promise<Reconciliation | undefined> {
  const row = await db
    .selectFrom('reconciliations')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row && toReconciliation(row)
}

/** Newest first. */
export async function listReconciliations(
  db: Kysely<Tables>,
  tenantId: string,
  { before, limit }: { before?: string | undefined; limit: number }
): Promise<Reconciliation[]> {
  let query = db.selectFrom('reconciliations').selectAll().where('tenant_id', '=', tenantId)
  if (before !== undefined) query = query.where('id', '<', before)
  const rows = await query.orderBy('id', 'desc').limit(limit).execute()
  return rows.map(toReconciliation)
}

/** Of those that nobody asked for; by our own clock. */
export async function reconciliationsSoFar(
  db: Kysely<Tables>,
  tenantId: string,
  kind: Reconciliation['kind']
) {
  const { rows } = await sql<{
    waiting: boolean
    finished: number | null
    covered: number | null
    subscribed: boolean
  }>`
    select coalesce(bool_or(status in ('queued', 'running')), false) as waiting,
      max(finished_at) as finished,
      max(started_at) filter (where status = 'succeeded') as covered,
      exists (select from calendly_subscriptions where tenant_id = ${tenantId} and state = 'active') as subscribed
    from reconciliations where tenant_id = ${tenantId} and kind = ${kind} and trigger <> 'request'`.execute(
    db
  )
  const { waiting = false, finished = null, covered = null, subscribed = false } = rows[0] ?? {}
  return {
    isWaiting: waiting,
    finishedAt: finished ?? undefined,
    coveredAt: covered ?? undefined,
    isSubscribed: subscribed
  }
}

/** Ever since and on every replica. */
export async function reconciliationTotals(db: Kysely<Tables>): Promise<ReconciliationTotals> {
  const { rows: runs } = await sql<ReconciliationTotals['runs'][number] & { finished: number | null }>`
    select kind, trigger, status, count(*)::int as count, max(finished_at) as finished
    from reconciliations where finished_at is not null
    group by kind, trigger, status order by kind, trigger, status`.execute(db)
  const { rows: differences } = await sql<ReconciliationTotals['differences'][number]>`
    select each.kind, sum((counted ->> 'found')::int)::int as found, sum((counted ->> 'repaired')::int)::int as repaired
    from reconciliations, jsonb_each(report -> 'counts') as each (kind, counted)
    group by each.kind order by each.kind`.execute(db)
  const lastSuccessAt: Record<string, number> = {}
  for (const { kind, status, finished } of runs) {
    if (status !== 'succeeded' || finished === null) continue
    lastSuccessAt[kind] = Math.max(finished, lastSuccessAt[kind] ?? finished)
  }
  return {
    runs: runs.map(({ kind, trigger, status, count }) => ({ kind, trigger, status, count })),
    differences,
    lastSuccessAt
  }
}

const at = (moment: number) => sql<number>`${instant(moment)}::timestamptz`
const optionalInstant = (moment: number | undefined) => (moment === undefined ? null : instant(moment))

function toRow(reconciliation: Reconciliation) {
  const { id, tenantId, kind, trigger, requestedBy, status, place, report, failure } = reconciliation
  const { from, to, createdAt, startedAt, finishedAt } = reconciliation
  return {
    id,
    tenant_id: tenantId,
    kind,
    trigger,
    requested_by: requestedBy ?? null,
    status,
    range_from: optionalInstant(from),
    range_to: optionalInstant(to),
    place: place ? JSON.stringify(place) : null,
    report: JSON.stringify(report),
    failure: failure ?? null,
    created_at: instant(createdAt),
    started_at: optionalInstant(startedAt),
    finished_at: optionalInstant(finishedAt)
  }
}

function toReconciliation(row: Selectable<Tables['reconciliations']>): Reconciliation {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    kind: row.kind as Reconciliation['kind'],
    trigger: row.trigger as Reconciliation['trigger'],
    requestedBy: row.requested_by ?? undefined,
    status: row.status as Reconciliation['status'],
    from: row.range_from ?? undefined,
    to: row.range_to ?? undefined,
    place: (row.place as Reconciliation['place'] | null) ?? undefined,
    report: row.report as ReconciliationReport,
    failure: row.failure ?? undefined,
    createdAt: row.created_at,
    startedAt: row.started_at ?? undefined,
    finishedAt: row.finished_at ?? undefined
  }
}
