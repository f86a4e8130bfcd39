import type { Kysely, Selectable } from 'kysely'
import type { PolicyTables, PolicyTier, RefundPolicy } from '../core/refund-policy.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

export function createRefundPolicies(db: Kysely<Tables>): PolicyTables['policies'] {
  return {
    async lock(tenantId) {
      // The tenant stands for the versions that are not there yet. Not FOR UPDATE: that would hold up its bookings.
      await db.selectFrom('tenants').select('id').where('id', '=', tenantId).forNoKeyUpdate().execute()
    },

    latest: (tenantId, name) => findRefundPolicy(db, tenantId, name),
    find: (tenantId, name, version) => findRefundPolicy(db, tenantId, name, version),

    async insert(tenantId, policy, at) {
      await db
        .insertInto('refund_policies')
        .values({
          tenant_id: tenantId,
          name: policy.name,
          version: policy.version,
          tiers: JSON.stringify(policy.tiers),
          host_cancel_percent_hundredths: policy.hostCancelPercentHundredths,
          no_show_percent_hundredths: policy.noShowPercentHundredths,
          clock: policy.clock,
          created_at: instant(at)
        })
        .execute()
    }
  }
}

/** The newest version of it, or that one. */
export async function findRefundPolicy(
  db: Kysely<Tables>,
  tenantId: string,
  name: string,
  version?: number
): Promise<RefundPolicy | undefined> {
  const row = await db
    .selectFrom('refund_policies')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('name', '=', name)
    .$if(version !== undefined, (query) => query.where('version', '=', version ?? 0))
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row && toPolicy(row)
}

/** The newest version of each, by name. */
export async function listRefundPolicies(db: Kysely<Tables>, tenantId: string): Promise<RefundPolicy[]> {
  const rows = await db
    .selectFrom('refund_policies')
    .distinctOn('name')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .orderBy('name')
    .orderBy('version', 'desc')
    .execute()
  return rows.map(toPolicy)
}

function toPolicy(row: Selectable<Tables['refund_policies']>): RefundPolicy {
  return {
    name: row.name,
    version: row.version,
    tiers: row.tiers as PolicyTier[],
    hostCancelPercentHundredths: row.host_cancel_percent_hundredths,
    noShowPercentHundredths: row.no_show_percent_hundredths,
    clock: row.clock as RefundPolicy['clock']
  }
}
