import { sql } from 'kysely'
import { appointment, isLive } from './claim-ranges.ts'
import { ago, at, type Count, numberOf, type Violations } from './integrity-counts.ts'

const isAlive = sql<boolean>`bookings.status in ('pending', 'unknown', 'confirmed', 'needs_attention')`
/** Made here: of what Calendly reports nobody is refused. */
const isMadeHere = sql<boolean>`bookings.details ->> 'source' = 'api'`
/** Of what is on its way to another time the row says where it was, and its claims where it may be. */
const stays = sql<boolean>`coalesce(bookings.details #>> '{change,kind}', 'cancel') = 'cancel'`

/** Its time was touched by what Calendly reported, which is written down and no fault of ours. */
const isExcused = (owner: string) => sql<boolean>`exists (
  select from booking_timeline where booking_timeline.tenant_id = ${sql.ref(`${owner}.tenant_id`)}
    and booking_id = ${sql.ref(`${owner}.owner_id`)} and type in ('overlap_found', 'made_way', 'buffer_not_kept'))`

const bookingsOverlapping: Count = ({ isOurs, now }) => sql<Violations>`
  with placed as materialized (
    select bookings.tenant_id, host, id as owner_id, start_time, end_time,
      case when (details ->> 'isGroup')::boolean
        then event_type || '@' || (extract(epoch from start_time) * 1000)::bigint else id end as session
    from bookings, unnest(hosts) as host
    where ${isOurs('bookings')} and ${isAlive} and end_time > ${at(now)} and ${isMadeHere} and ${stays}
      and not exists (select from claims where claims.tenant_id = bookings.tenant_id and owner_id = bookings.id
        and pool is not null)
    union all
    -- Holds, and what any host of a pool would do for: the claim alone knows which one it is.
    select tenant_id, host, owner_id, ${appointment.start}, ${appointment.end}, session
    from claims where ${isOurs('claims')} and (expires_at > now() or (expires_at is null and pool is not null))),
  sessions as (select distinct tenant_id, host, session, start_time, end_time from placed),
  ordered as (
    select *, max(end_time) over (partition by tenant_id, host order by start_time, end_time
      rows between unbounded preceding and 1 preceding) as taken_until
    from sessions),
  suspects as materialized (select * from ordered where taken_until > start_time)
  select count(*)::int as violations from suspects where exists (
    select from placed as one, placed as other
    where one.tenant_id = suspects.tenant_id and one.host = suspects.host and one.session = suspects.session
      and one.start_time = suspects.start_time
      and other.tenant_id = one.tenant_id and other.host = one.host and other.session <> one.session
      and other.start_time < one.end_time and one.start_time < other.end_time
      and not ${isExcused('one')} and not ${isExcused('other')})`

const bookingsUnclaimed: Count = ({ isOurs, now }) =>
  numberOf(sql`
    select from (
      select tenant_id, id as owner_id, start_time, hosts from bookings
      where ${isOurs('bookings')} and ${isAlive} and end_time > greatest(now(), ${at(now)})
        and ${isMadeHere} and ${stays} and cardinality(hosts) > 0
    ) as booked
    left join (
      select tenant_id, owner_id, ${appointment.start} as starts, array_agg(host) as hosts,
        bool_or(pool is not null) as is_pool
      from claims where ${isOurs('claims')} group by tenant_id, owner_id, starts
    ) as claimed
    on claimed.tenant_id = booked.tenant_id and claimed.owner_id = booked.owner_id
      and claimed.starts = booked.start_time
    where (claimed.owner_id is null or not (is_pool or booked.hosts <@ claimed.hosts))
      and not ${isExcused('booked')}`)

const claimsWithoutOwner: Count = ({ isOurs, sweptWithinMs }) =>
  numberOf(sql`
    select from claims where ${isOurs('claims')} and (
      (${isLive} and upper(busy) > now()
        and not exists (select from bookings
          where bookings.tenant_id = claims.tenant_id and bookings.id = owner_id and ${isAlive})
        and not exists (select from holds
          where holds.tenant_id = claims.tenant_id and holds.id = owner_id and holds.status = 'active'))
      or least(expires_at, upper(busy)) <= ${ago(sweptWithinMs)})`)

const seatsOversold: Count = ({ isOurs, now }) =>
  numberOf(sql`
    select from sessions where ${isOurs('sessions')} and ends_at > ${at(now)} and seats < (
      select count(distinct owner_id) from claims
      where claims.tenant_id = sessions.tenant_id and nullif(claims.session, owner_id) = sessions.session
        and ${isLive} and not exists (select from bookings
          where bookings.tenant_id = claims.tenant_id and bookings.id = owner_id and not ${isMadeHere}))`)

const holdsOverdue: Count = ({ isOurs, sweptWithinMs }) =>
  numberOf(sql`
    select from holds where ${isOurs('holds')} and status = 'active' and expires_at <= ${ago(sweptWithinMs)}`)

const inviteesBookedTwice: Count = ({ isOurs, now }) =>
  numberOf(sql`
    select from bookings
    where ${isOurs('bookings')} and ${isAlive} and end_time > ${at(now)}
      and details #>> '{calendly,invitee}' is not null
    group by tenant_id, details #>> '{calendly,invitee}' having count(*) > 1`)

/** A step of a reschedule is searched for anew, so it is as old as that search. */
const intentsOverdue: Count = ({ isOurs, now, settledWithinMs }) => {
  const since = now - settledWithinMs
  return numberOf(sql`
    select id from bookings
    where ${isOurs('bookings')} and status in ('pending', 'unknown') and created_at <= ${at(since)}
      and greatest((details #>> '{resolution,since}')::float8, 0) <= ${since}
    union
    select id from bookings
    where ${isOurs('bookings')} and details ? 'change' and status <> 'needs_attention'
      and greatest((details #>> '{change,requestedAt}')::float8, (details #>> '{resolution,since}')::float8)
        <= ${since}`)
}

const bookingsNeedingAttention: Count = ({ isOurs }) =>
  numberOf(sql`select from bookings where ${isOurs('bookings')} and status = 'needs_attention'`)

/** No lease is longer than half a minute; only the keys of the latest hour can have one. */
const idempotencyKeysStuck: Count = ({ isOurs, sweptWithinMs }) =>
  numberOf(sql`
    select from idempotency_keys where ${isOurs('idempotency_keys')}
      and created_at > now() - interval '1 hour'
      and ((status is null and lease_until > now() + interval '1 minute') or (status is null) <> (answer is null))
    union all
    select from idempotency_keys where ${isOurs('idempotency_keys')}
      and created_at < now() - interval '72 hours' - ${sweptWithinMs} * interval '1 millisecond'`)

export const bookingInvariants = {
  bookings_overlapping: bookingsOverlapping,
  bookings_unclaimed: bookingsUnclaimed,
  claims_without_owner: claimsWithoutOwner,
  seats_oversold: seatsOversold,
  holds_overdue: holdsOverdue,
  invitees_booked_twice: inviteesBookedTwice,
  intents_overdue: intentsOverdue,
  bookings_needing_attention: bookingsNeedingAttention,
  idempotency_keys_stuck: idempotencyKeysStuck
} satisfies Record<string, Count>
