import { type Kysely, sql } from 'kysely'
import { type SubscriptionReport, subscriptionLease } from '../core/subscription.ts'
import type { SubscriptionReads, SubscriptionRows } from '../core/subscription-tables.ts'
import { instant } from './instant.ts'
import { isCurrentEpoch } from './leases.ts'
import type { Tables } from './tables.ts'

export function createSubscriptionRows(db: Kysely<Tables>): SubscriptionRows {
  return {
    async put(tenantId, report) {
      const row = toRow(report)
      await db
        .insertInto('calendly_subscriptions')
        .values({ tenant_id: tenantId, ...row })
        .onConflict((conflict) => conflict.column('tenant_id').doUpdateSet(row))
        .execute()
    },

    isHeld: (epoch) => isCurrentEpoch(db, subscriptionLease, epoch),

    lastDeliveryAt: lastDeliveryAt.bind(undefined, db)
  }
}

export function readSubscriptionReports(db: Kysely<Tables>): SubscriptionReads {
  return {
    async find(tenantId) {
      const row = await db
        .selectFrom('calendly_subscriptions as report')
        .leftJoin('webhook_slots as key', 'key.slot', 'report.slot')
        .selectAll('report')
        .select('key.created_at as key_created_at')
        .where('report.tenant_id', '=', tenantId)
        .executeTakeFirst()
      if (!row) return undefined
      return {
        state: row.state as SubscriptionReport['state'],
        callbackUrl: row.callback_url,
        slot: row.slot ?? undefined,
        keyCreatedAt: row.key_created_at ?? undefined,
        uri: row.uri ?? undefined,
        scope: row.scope ?? undefined,
        events: row.events,
        retryStartedAt: row.retry_started_at ?? undefined,
        missedSince: row.missed_since ?? undefined,
        createdAt: row.created_at ?? undefined,
        checkedAt: row.checked_at
      }
    },

    lastDeliveryAt: lastDeliveryAt.bind(undefined, db)
  }
}

async function lastDeliveryAt(db: Kysely<Tables>, tenantId: string): Promise<number | undefined> {
  const { rows } = await sql<{ last: number | null }>`
    select received_at as last from deliveries where tenant_id = ${tenantId}
    order by received_at desc limit 1`.execute(db)
  return rows[0]?.last ?? undefined
}

function toRow(report: SubscriptionReport) {
  const { state, callbackUrl, slot, uri, scope, events } = report
  return {
    state,
    callback_url: callbackUrl,
    slot: slot ?? null,
    uri: uri ?? null,
    scope: scope ?? null,
    events: [...events],
    retry_started_at: optionalInstant(report.retryStartedAt),
    missed_since: optionalInstant(report.missedSince),
    created_at: optionalInstant(report.createdAt),
    checked_at: instant(report.checkedAt)
  }
}

const optionalInstant = (at: number | undefined) => (at === undefined ? null : instant(at))
