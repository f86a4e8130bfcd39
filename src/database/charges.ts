import { type Kysely, type Selectable, sql } from 'kysely'
import type { Charge } from '../core/charge.ts'
import type { DisputeFact } from '../core/payments.ts'
import type { RefundReads, RefundTables } from '../core/refund-tables.ts'
import { fromNow, instant } from './instant.ts'
import type { Tables } from './tables.ts'

/** Charges inside one transaction. */
export function createCharges(db: Kysely<Tables>): RefundTables['charges'] {
  const row = (tenantId: string, id: string) =>
    db.updateTable('charges').where('tenant_id', '=', tenantId).where('id', '=', id)

  async function lock(tenantId: string, id: string): Promise<Charge | undefined> {
    const found = await db
      .selectFrom('charges')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst()
    return found && toCharge(found)
  }

  return {
    lock,

    async put(tenantId, bookingId, fact, { lookedAt, now }) {
      const told = {
        captured: fact.captured,
        refunded: fact.refunded,
        dispute: fact.dispute ? JSON.stringify(fact.dispute) : null,
        looked_at: instant(lookedAt)
      }
      const made = await db
        .insertInto('charges')
        .values({
          ...{ tenant_id: tenantId, id: fact.id, payment_intent: fact.paymentIntent ?? null },
          ...{
            booking_id: bookingId,
            currency: fact.currency,
            livemode: fact.livemode,
            created_at: instant(now)
          },
          ...told
        })
        .onConflict((conflict) => conflict.doNothing())
        .returningAll()
        .executeTakeFirst()
      if (made) return { charge: toCharge(made), isNew: true }
      const before = await lock(tenantId, fact.id)
      if (!before) throw new Error(`${fact.id} has vanished`)
      // Answers may arrive in another order than they were asked for.
      if (lookedAt <= before.lookedAt) return { charge: before, isNew: false, before }
      const after = await row(tenantId, fact.id).set(told).returningAll().executeTakeFirstOrThrow()
      return { charge: toCharge(after), isNew: false, before }
    },

    async reserve(tenantId, id, amount) {
      const { numUpdatedRows } = await row(tenantId, id)
        .set({ reserved: sql`reserved + ${amount}` })
        .where('dispute', 'is', null)
        .where(sql<boolean>`reserved + elsewhere + ${amount}::bigint <= captured`)
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n
    },

    async release(tenantId, id, amount) {
      await row(tenantId, id)
        .set({ reserved: sql`reserved - ${amount}` })
        .execute()
    },

    async addElsewhere(tenantId, id, amount) {
      await row(tenantId, id)
        .set({ elsewhere: sql`elsewhere + ${amount}` })
        .execute()
    },

    async schedule(tenantId, id, inMs, looks) {
      // What is due stays so: Stripe may have told of news while it was looked at.
      const next = inMs === undefined ? sql`null` : fromNow(inMs)
      await row(tenantId, id)
        .set({
          looks,
          look_at: sql<string>`case when look_at <= clock_timestamp() then look_at else ${next} end`
        })
        .execute()
    }
  }
}

export async function findCharge(
  db: Kysely<Tables>,
  tenantId: string,
  id: string
): Promise<Charge | undefined> {
  const row = await db
    .selectFrom('charges')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row && toCharge(row)
}

/** The oldest that are due to be read, leased. */
export async function takeCharges(
  db: Kysely<Tables>,
  leaseMs: number,
  limit: number
): ReturnType<RefundReads['takeCharges']> {
  const { rows } = await sql<{ tenant_id: string; id: string }>`
    with due as (
      select tenant_id, id from charges where look_at <= now() order by look_at
      limit ${limit}::integer for update skip locked)
    update charges set look_at = ${fromNow(leaseMs)} from due
    where charges.tenant_id = due.tenant_id and charges.id = due.id
    returning charges.tenant_id, charges.id`.execute(db)
  return rows.map(({ tenant_id: tenantId, id }) => ({ tenantId, id }))
}

function toCharge(row: Selectable<Tables['charges']>): Charge {
  return {
    tenantId: row.tenant_id,
    id: row.id,
    paymentIntent: row.payment_intent ?? undefined,
    bookingId: row.booking_id,
    currency: row.currency,
    captured: row.captured,
    reserved: row.reserved,
    elsewhere: row.elsewhere,
    refunded: row.refunded,
    dispute: row.dispute === null ? undefined : (JSON.parse(row.dispute) as DisputeFact),
    livemode: row.livemode,
    lookedAt: row.looked_at,
    looks: row.looks
  }
}
