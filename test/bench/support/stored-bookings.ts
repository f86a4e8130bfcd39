import { type Kysely, sql } from 'kysely'
import type { Tables } from '../../../src/database/tables.ts'

const hosts = 2_000
const eventTypes = 1_000
/** Of the host that is asked for, the same whatever else is stored. */
const ownFuture = 100
const atOnce = 20_000
/**
 * Years of the past, and what is still to come. The days of the past are no divisor of what tells the host's own from
 * others', so that those spread over them too, and begin before whatever is asked for.
 */
const [pastDays, pastFromDays, futureDays, futureShare] = [997, 14, 60, 0.05]

/** Bookings as years leave them behind: of many hosts and event types, most of them over, and the host's own to come. */
export async function storeBookings(
  db: Kysely<Tables>,
  { bookings, eventType, host }: { bookings: number; eventType: string; host: string }
): Promise<void> {
  const others = bookings - ownFuture
  // Piece by piece, each within the time that the service's own connection gives a statement.
  for (let from = 1; from <= others; from += atOnce) {
    await storeOthers(db, { from, to: Math.min(others, from + atOnce - 1), eventType, host })
    await claimFrom(db, `bkg_${String(from).padStart(26, '0')}`)
  }
  // The host's own to come, at five to the full hour of nights.
  await sql`
    insert into bookings (id, tenant_id, status, event_type, start_time, end_time, invitee_email, hosts, calendly_event, details, created_at, updated_at)
    select 'bkg_own' || lpad(n::text, 23, '0'), 'default', 'confirmed', ${eventType}, start_time, start_time + interval '30 minutes',
      'own-' || n || '@example.com', array[${host}::text], 'https://api.calendly.com/scheduled_events/OWN' || n,
      ${detailsOf()}, now(), now()
    from (select n, date_trunc('day', now()) + interval '1 day' * (1 + n / 4) + interval '1 hour' * (9 + n % 4) as start_time
      from generate_series(1, ${ownFuture}::int) n) as drawn`.execute(db)
  await claimFrom(db, 'bkg_own')
  // As autovacuum does in a database that has grown for years: plans without statistics are guesses.
  await sql`analyze`.execute(db)
}

type Piece = { from: number; to: number; eventType: string; host: string }

async function storeOthers(db: Kysely<Tables>, { from, to, eventType, host }: Piece): Promise<void> {
  // Every thousandth is of the event type and the host that are asked for, and over.
  await sql`
    insert into bookings (id, tenant_id, status, event_type, start_time, end_time, invitee_email, hosts, calendly_event, details, created_at, updated_at)
    select 'bkg_' || lpad(n::text, 26, '0'), 'default', 'confirmed',
      case when n % ${eventTypes} = 0 then ${eventType}::text else 'https://api.calendly.com/event_types/TYPE' || n % ${eventTypes} end,
      start_time, start_time + interval '30 minutes', 'person-' || n || '@example.com', array[host],
      'https://api.calendly.com/scheduled_events/E' || n,
      ${detailsOf()}, start_time - interval '10 days', start_time - interval '10 days'
    from (select n,
        case when n % ${eventTypes} = 0 then ${host}::text else 'https://api.calendly.com/users/HOST' || n % ${hosts} end as host,
        date_trunc('hour', now()) + interval '30 minutes' * (n / ${hosts}) +
          case when n % ${eventTypes} <> 0 and n % 100 < ${100 * futureShare}::int
            then interval '1 day' * (1 + n % ${futureDays}) else interval '-1 day' * (${pastFromDays}::int + n % ${pastDays}) end as start_time
      from generate_series(${from}::int, ${to}::int) n) as drawn`.execute(db)
}

/** What is still to come of those with this id or a later one. */
async function claimFrom(db: Kysely<Tables>, id: string): Promise<void> {
  await sql`
    insert into claims (tenant_id, host, owner_id, session, busy, start_time, end_time)
    select tenant_id, hosts[1], id, id, tstzrange(start_time, end_time, '[)'), start_time, end_time
    from bookings where id >= ${id} and end_time > now() order by start_time
    on conflict do nothing`.execute(db)
}

function detailsOf() {
  const details = {
    source: 'api',
    isGroup: false,
    invitee: { name: 'Grace Example', email: 'grace@example.com', timezone: 'Europe/Berlin' },
    hosts: [{ user: 'https://api.calendly.com/users/HOST', name: 'Hedy Host', email: 'hedy@example.com' }],
    questionsAndAnswers: [{ question: 'Company name', answer: 'Example', position: 0 }],
    tracking: { utmSource: 'newsletter' },
    guests: [],
    metadata: { order: '4711' },
    calendly: {
      cancelUrl: 'https://calendly.com/cancellations/E',
      rescheduleUrl: 'https://calendly.com/reschedulings/E'
    },
    reschedules: [],
    noShow: false
  }
  return sql`${JSON.stringify(details)}::jsonb`
}
