import { type Kysely, sql } from 'kysely'
import type { RefundTotals } from '../core/refund-report.ts'
import type { Tables } from './tables.ts'

export async function refundTotals(db: Kysely<Tables>): Promise<RefundTotals> {
  const { rows: refunds } = await sql<RefundTotals['refunds'][number]>`
    select status, trigger, currency, count(*)::int as count, sum(amount)::float8 as amount
    from refunds group by 1, 2, 3 order by 1, 2, 3`.execute(db)
  const { rows } = await sql<{
    renewed: number
    disputed: number
    unresolved: number | null
    tasks: number
    oldest: number | null
  }>`
    select
      (select coalesce(sum(substring(idempotency_key, '-([0-9]+)$')::int - 1), 0)::int
        from refunds where idempotency_key ~ '-[0-9]+$') as renewed,
      (select count(*)::int from charges where dispute is not null) as disputed,
      (select min(created_at) from refunds where status in ('requested', 'submitting', 'unknown')) as unresolved,
      (select count(*)::int from payment_tasks) as tasks,
      (select min(created_at) from payment_tasks) as oldest`.execute(db)
  const [counted] = rows
  return {
    refunds,
    keysRenewed: counted?.renewed ?? 0,
    chargesDisputed: counted?.disputed ?? 0,
    unresolvedSince: counted?.unresolved ?? undefined,
    tasks: counted?.tasks ?? 0,
    oldestTaskAt: counted?.oldest ?? undefined
  }
}
