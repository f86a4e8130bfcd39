import { type Kysely, type Selectable, sql } from 'kysely'
import type { SlotReads, SlotRows, WebhookSlot } from '../core/webhook-slots.ts'
import { fromNow, instant } from './instant.ts'
import type { Tables } from './tables.ts'

const verifies = sql<boolean>`(retire_at is null or retire_at > now())`

export function createSlotRows(db: Kysely<Tables>): SlotRows {
  return {
    async insert({ slot, tenantId, sealedKey, createdAt }) {
      await db
        .insertInto('webhook_slots')
        .values({ slot, tenant_id: tenantId, signing_key: sealedKey, created_at: instant(createdAt) })
        .execute()
    },

    async retireOthers(tenantId, except, overlapMs) {
      const retired = await db
        .updateTable('webhook_slots')
        .set({ retire_at: fromNow(overlapMs) })
        .where('tenant_id', '=', tenantId)
        .where('retire_at', 'is', null)
        .$if(except !== undefined, (others) => others.where('slot', '<>', except ?? ''))
        .returning('slot')
        .execute()
      return retired.map(({ slot }) => slot)
    }
  }
}

export function readSlots(db: Kysely<Tables>): SlotReads {
  return {
    async find(slot) {
      const row = await db
        .selectFrom('webhook_slots')
        .selectAll()
        .where('slot', '=', slot)
        .where(verifies)
        .executeTakeFirst()
      return row && toSlot(row)
    },

    async listLive(tenantId) {
      const rows = await db
        .selectFrom('webhook_slots')
        .select(['slot', 'created_at'])
        .where('tenant_id', '=', tenantId)
        .where('retire_at', 'is', null)
        .orderBy('made')
        .execute()
      return rows.map(({ slot, created_at }) => ({ slot, createdAt: created_at }))
    },

    async listAll() {
      const rows = await db.selectFrom('webhook_slots').selectAll().orderBy('made').execute()
      return rows.map(toSlot)
    },

    async reseal(slot, from, to) {
      await db
        .updateTable('webhook_slots')
        .set({ signing_key: to })
        .where('slot', '=', slot)
        .where('signing_key', '=', from)
        .execute()
    },

    async removeRetired() {
      await db.deleteFrom('webhook_slots').where('retire_at', '<=', sql<number>`now()`).execute()
    }
  }
}

const toSlot = (row: Selectable<Tables['webhook_slots']>): WebhookSlot => ({
  slot: row.slot,
  tenantId: row.tenant_id,
  sealedKey: row.signing_key,
  createdAt: row.created_at
})
