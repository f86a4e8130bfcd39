import { type Kysely, type Selectable, sql } from 'kysely'
import { type Booking, type BookingStatus, isOpen } from '../core/booking.ts'
import type { BookingFilter, BookingTables } from '../core/booking-tables.ts'
import { fromNow, instant } from './instant.ts'
import type { Tables } from './tables.ts'

type Row = Selectable<Tables['bookings']>
/** What has a column of its own is not kept twice. */
type Details = Omit<
  Booking,
  'id' | 'tenantId' | 'status' | 'eventType' | 'startTime' | 'endTime' | 'version' | 'createdAt' | 'updatedAt'
>

export function createBookingRows(db: Kysely<Tables>): BookingTables['bookings'] {
  return {
    async insert(booking, resolveInMs) {
      await db
        .insertInto('bookings')
        .values({ ...toRow(booking), ...dueOf(booking, resolveInMs) })
        .execute()
    },

    async update(booking, resolveInMs) {
      const { numUpdatedRows } = await db
        .updateTable('bookings')
        .set(toRow(booking))
        .set(dueOf(booking, resolveInMs))
        .where('tenant_id', '=', booking.tenantId)
        .where('id', '=', booking.id)
        .where('version', '=', booking.version - 1)
        .executeTakeFirstOrThrow()
      if (numUpdatedRows !== 1n) throw new Error(`${booking.id} was changed without its lock`)
    },

    async lock(tenantId, id) {
      const row = await db
        .selectFrom('bookings')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .where('id', '=', id)
        .forUpdate()
        .executeTakeFirst()
      return row && toBooking(row)
    },

    async lockByEvent(tenantId, event) {
      const rows = await db
        .selectFrom('bookings')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .where('calendly_event', '=', event)
        .orderBy('id')
        .forUpdate()
        .execute()
      return rows.map(toBooking)
    },

    async takeUnresolved(leaseMs) {
      const row = await db
        .updateTable('bookings')
        .set({ resolve_at: fromNow(leaseMs) })
        .where('id', '=', (eb) =>
          eb
            .selectFrom('bookings')
            .select('id')
            .where('resolve_at', '<=', sql<number>`now()`)
            .orderBy('resolve_at')
            .limit(1)
            .forUpdate()
            .skipLocked()
        )
        .returningAll()
        .executeTakeFirst()
      return row && toBooking(row)
    }
  }
}

export async function findBooking(
  db: Kysely<Tables>,
  tenantId: string,
  id: string
): Promise<Booking | undefined> {
  const row = await db
    .selectFrom('bookings')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row && toBooking(row)
}

/** Newest first. */
export async function listBookings(
  db: Kysely<Tables>,
  tenantId: string,
  filter: BookingFilter
): Promise<Booking[]> {
  const { status, eventType, host, inviteeEmail, startTimeFrom, startTimeTo, before, limit } = filter
  let query = db.selectFrom('bookings').selectAll().where('tenant_id', '=', tenantId)
  if (status === 'completed') {
    query = query.where('status', '=', 'confirmed').where('end_time', '<=', at(filter.now))
  } else if (status === 'confirmed') {
    query = query.where('status', '=', 'confirmed').where('end_time', '>', at(filter.now))
  } else if (status !== undefined) query = query.where('status', '=', status)
  if (eventType !== undefined) query = query.where('event_type', '=', eventType)
  if (host !== undefined) query = query.where(sql<boolean>`hosts @> array[${host}]`)
  if (inviteeEmail !== undefined) query = query.where('invitee_email', '=', inviteeEmail.toLowerCase())
  if (startTimeFrom !== undefined) query = query.where('start_time', '>=', at(startTimeFrom))
  if (startTimeTo !== undefined) query = query.where('start_time', '<', at(startTimeTo))
  if (before !== undefined) query = query.where('id', '<', before)
  const rows = await query.orderBy('id', 'desc').limit(limit).execute()
  return rows.map(toBooking)
}

/** Made since, or with an outcome that is not known: Calendly cannot have counted them, or need not have. */
export async function uncountedBetween(
  db: Kysely<Tables>,
  tenantId: string,
  eventType: string,
  startTime: number,
  endTime: number,
  asOf: number
): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from bookings
    where tenant_id = ${tenantId} and event_type = ${eventType}
      and status in ('pending', 'unknown', 'confirmed', 'needs_attention')
      and start_time >= ${at(startTime)} and start_time < ${at(endTime)}
      and (status <> 'confirmed' or created_at >= ${at(asOf)})
    order by id`.execute(db)
  return rows.map(({ id }) => id)
}

/** When the oldest booking or change was asked for whose outcome is still to be found. */
export async function oldestUnresolved(db: Kysely<Tables>): Promise<number | undefined> {
  const { rows } = await sql<{ at: number | null }>`
    select least(
      (select min(created_at) from bookings where status in ('pending', 'unknown', 'needs_attention')),
      (select min(to_timestamp((details #>> '{change,requestedAt}')::float8 / 1000)) from bookings
       where resolve_at is not null)
    ) as at`.execute(db)
  return rows[0]?.at ?? undefined
}

const at = (moment: number) => sql<number>`${instant(moment)}::timestamptz`

/** A change that says nothing of the time leaves an open booking due when it was. */
function dueOf(booking: Booking, resolveInMs: number | undefined) {
  if (resolveInMs !== undefined) return { resolve_at: fromNow(resolveInMs) }
  return isOpen(booking) ? {} : { resolve_at: null }
}

function toRow(booking: Booking) {
  const { id, tenantId, status, eventType, startTime, endTime, version, createdAt, updatedAt, ...details } =
    booking
  return {
    id,
    tenant_id: tenantId,
    status,
    event_type: eventType,
    start_time: instant(startTime),
    end_time: instant(endTime),
    invitee_email: details.invitee.email.toLowerCase(),
    hosts: details.hosts.map(({ user }) => user),
    calendly_event: details.calendly.event ?? null,
    details: JSON.stringify(details satisfies Details),
    version,
    created_at: instant(createdAt),
    updated_at: instant(updatedAt)
  }
}

function toBooking(row: Row): Booking {
  return {
    ...(row.details as Details),
    id: row.id,
    tenantId: row.tenant_id,
    status: row.status as BookingStatus,
    eventType: row.event_type,
    startTime: row.start_time,
    endTime: row.end_time,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at
  }
}
