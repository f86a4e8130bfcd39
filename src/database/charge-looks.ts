import { type Kysely, sql } from 'kysely'
import type { SeenCharge } from '../core/charge-looks.ts'
import type { Refund, RefundStatus } from '../core/refund.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

const pageSize = 100
type Known = Pick<Refund, 'charge' | 'stripeRefund' | 'status'>

/** What is known of charges and their refunds before Stripe is asked for them. */
export function readChargeLooks(db: Kysely<Tables>) {
  const refunds = () => db.selectFrom('refunds').select(['charge', 'stripe_refund', 'status'])

  return {
    async seen(tenantId: string, charge: string): Promise<SeenCharge | undefined> {
      const rows = await db
        .selectFrom('charges')
        .leftJoin('refunds', (join) =>
          join.onRef('refunds.tenant_id', '=', 'charges.tenant_id').onRef('refunds.charge', '=', 'charges.id')
        )
        .where('charges.tenant_id', '=', tenantId)
        .where('charges.id', '=', charge)
        .select(['charges.booking_id as owner', 'charges.looked_at as lookedAt'])
        .select(['refunds.id', 'refunds.version', 'refunds.booking_id as bookingId'])
        .execute()
      const [first] = rows
      if (!first) return undefined
      const bookingIds = rows.flatMap(({ bookingId }) => bookingId ?? [])
      const versions = rows.flatMap(({ id, version }) =>
        id === null || version === null ? [] : [[id, version]]
      )
      return {
        lookedAt: first.lookedAt,
        bookingIds: [...new Set([first.owner, ...bookingIds])],
        versions: Object.fromEntries(versions)
      }
    },

    async refundsOf(tenantId: string, charges: readonly string[]): Promise<ReadonlyMap<string, Known[]>> {
      const known = await db
        .selectFrom('charges')
        .select('id')
        .where('tenant_id', '=', tenantId)
        .where(sql<boolean>`id = any(${[...charges]}::text[])`)
        .execute()
      const rows = await refunds()
        .where('tenant_id', '=', tenantId)
        .where(sql<boolean>`charge = any(${[...charges]}::text[])`)
        .execute()
      const byCharge = Map.groupBy(rows.map(toKnown), ({ charge }) => charge)
      return new Map(known.map(({ id }) => [id, byCharge.get(id) ?? []]))
    },

    async madeBetween(tenantId: string, { from, to }: { from: number; to: number }): Promise<Known[]> {
      const rows = await refunds()
        .where('tenant_id', '=', tenantId)
        .where('stripe_refund', 'is not', null)
        .where('created_at', '>=', sql<number>`${instant(from)}::timestamptz`)
        .where('created_at', '<', sql<number>`${instant(to)}::timestamptz`)
        .orderBy('id')
        .execute()
      return rows.map(toKnown)
    },

    async underWay(tenantId: string, after: string): Promise<string[]> {
      const { rows } = await sql<{ id: string }>`
        select id from charges where tenant_id = ${tenantId} and id > ${after} and (dispute is not null
          or exists (select from refunds where refunds.tenant_id = charges.tenant_id and charge = charges.id
            and status in ('submitting', 'unknown', 'pending', 'requires_action')))
        order by id limit ${pageSize}`.execute(db)
      return rows.map(({ id }) => id)
    }
  }
}

function toKnown(row: { charge: string; stripe_refund: string | null; status: string }): Known {
  return {
    charge: row.charge,
    stripeRefund: row.stripe_refund ?? undefined,
    status: row.status as RefundStatus
  }
}
