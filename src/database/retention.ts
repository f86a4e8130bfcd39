import { type Kysely, type RawBuilder, sql } from 'kysely'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

/** Rows that one statement removes; the embedded engine lets nothing else happen meanwhile. */
const removedAtOnce = 500
/** How much of a long past goes in one sweep. */
const mostBatches = 20

/** Removes webhooks that are done with, and events with what was sent of them, from before that moment. */
export async function sweepOld(db: Kysely<Tables>, before: number, signal?: AbortSignal): Promise<void> {
  for (const old of [oldDeliveries(before), oldEvents(before)]) await removeAll(db, old, signal)
}

async function removeAll(db: Kysely<Tables>, old: RawBuilder<unknown>, signal?: AbortSignal): Promise<void> {
  for (let batch = 0; batch < mostBatches && !signal?.aborted; batch++) {
    const { numAffectedRows = 0n } = await old.execute(db)
    if (numAffectedRows < removedAtOnce) return
  }
}

const oldDeliveries = (before: number) => sql`
  delete from deliveries where id in (
    select id from deliveries
    where received_at < ${instant(before)}::timestamptz and status <> 'received' and due_at is null
    order by received_at limit ${removedAtOnce}::integer for update skip locked)`

/** Of a subject never from the middle: replicas' clocks differ, and what is left is to be counted without gaps. */
const oldEvents = (before: number) => sql`
  delete from events where id in (
    select id from events
    where at < ${instant(before)}::timestamptz and position is not null and not exists (
      select from events earlier
      where earlier.tenant_id = events.tenant_id and earlier.subject = events.subject
        and earlier.sequence < events.sequence
        and (earlier.at >= ${instant(before)}::timestamptz or earlier.position is null))
    order by at limit ${removedAtOnce}::integer for update skip locked)`
