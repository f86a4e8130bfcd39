import { type Kysely, sql } from 'kysely'
import type { BookingStatus } from '../core/booking.ts'
import type { KnownSeat } from '../core/reconciliation-compare.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

type Row = {
  event: string
  uri: string
  state: string
  id: string
  status: string
  starts: number
  ends: number
  hosts: string[]
  version: number
  invitee: string | null
  no_show: boolean
}

const atOnce = 200

/** What is known of the invitees of these events, by the events' URIs. */
export async function seatsOf(
  db: Kysely<Tables>,
  tenantId: string,
  events: readonly string[]
): Promise<KnownSeat[]> {
  const { rows } = await sql<Row>`
    select split_part(i.uri, '/invitees/', 1) as event, i.uri, i.state, b.id, b.status, b.start_time as starts,
      b.end_time as ends, b.hosts, b.version, b.details #>> '{calendly,invitee}' as invitee,
      coalesce((b.details ->> 'noShow')::boolean, false) as no_show
    from invitees i join bookings b on b.id = i.booking_id
    where i.tenant_id = ${tenantId} and split_part(i.uri, '/invitees/', 1) = any(${[...events]}::text[])
    order by i.uri`.execute(db)
  return rows.map(({ event, uri, state, ...booking }) => ({
    event,
    uri,
    state: state as KnownSeat['state'],
    booking: {
      id: booking.id,
      status: booking.status as BookingStatus,
      startTime: booking.starts,
      endTime: booking.ends,
      version: booking.version,
      noShow: booking.no_show,
      hosts: booking.hosts,
      invitee: booking.invitee ?? undefined
    }
  }))
}

/** Confirmed bookings of events other than these, unchanged since `asOf`: some of them, by id. */
export async function confirmedBeside(
  db: Kysely<Tables>,
  tenantId: string,
  { from, to }: { from: number; to: number | undefined },
  { events, asOf, after }: { events: readonly string[]; asOf: number; after: string }
): Promise<{ id: string; event: string }[]> {
  const { rows } = await sql<{ id: string; event: string }>`
    select id, calendly_event as event from bookings
    where tenant_id = ${tenantId} and status = 'confirmed' and details -> 'change' is null
      and start_time >= ${instant(from)}::timestamptz
      and start_time < ${to === undefined ? 'infinity' : instant(to)}::timestamptz
      and updated_at < ${instant(asOf)}::timestamptz
      and calendly_event <> all(${[...events]}::text[]) and id > ${after}
    order by id limit ${atOnce}`.execute(db)
  return rows
}
