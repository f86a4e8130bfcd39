import { sql } from 'kysely'
import { at, type Count, numberOf, type Violations } from './integrity-counts.ts'

const minute = sql`interval '1 minute'`
const minuteMs = 60_000
const hourMs = 60 * minuteMs
/** How many events of the latest are looked at for each endpoint. */
const eventsLookedAt = 5_000

const deliveriesOverdue: Count = ({ isOurs }) =>
  numberOf(sql`
    select from deliveries where ${isOurs('deliveries')} and due_at <= now() - ${minute}`)

/** Each waits for something, or has a word on why it does not. What is done is not looked at again. */
const deliveriesUnaccounted: Count = ({ isOurs }) =>
  numberOf(sql`
    select from deliveries where ${isOurs('deliveries')} and status <> 'processed' and (
      ((status = 'received' or (status = 'quarantined' and reason = 'stale')) and due_at is null)
      or (status = 'dead' and due_at is not null)
      or (status in ('dead', 'quarantined') and reason is null))`)

const deliveriesDead: Count = ({ isOurs }) =>
  numberOf(sql`select from deliveries where ${isOurs('deliveries')} and status = 'dead'`)

const eventSequenceGaps: Count = ({ isOurs }) => sql<Violations>`
  with counted as (
    select tenant_id, subject, count(*) as events, min(sequence) as first, max(sequence) as last
    from events where ${isOurs('events')} group by tenant_id, subject)
  select count(*)::int as violations
  from counted join event_subjects using (tenant_id, subject)
  where last <> event_subjects.sequence or events <> last - first + 1`

/** What follows what has been removed for its age, or was written at about that time, may seem to follow nothing. */
const eventPositionGaps: Count = ({ now, keptForMs }) => sql<Violations>`
  with placed as (
    select position, lag(position) over (order by position) as before from events where position is not null),
  gaps as materialized (select position from placed where position <> before + 1)
  select (select count(*) from gaps join events using (position) where at > ${at(now - keptForMs + hourMs)})::int
    + (exists (select from events_head
        where position <> (select max(position) from events)))::int as violations`

const eventsUnpositioned: Count = ({ isOurs, now }) =>
  numberOf(sql`
    select from events where ${isOurs('events')} and position is null and at <= ${at(now - minuteMs)}`)

/** Where the endpoint has been as it is since before the event. */
const eventsNotFannedOut: Count = ({ isOurs }) =>
  numberOf(sql`
    select from events join event_endpoints on event_endpoints.tenant_id = events.tenant_id
      and status = 'enabled' and events.type = any(types)
      and event_endpoints.updated_at < events.at - ${minute}
    where ${isOurs('events')} and position > (select position from events_head) - ${eventsLookedAt}::int
      and not exists (select from event_deliveries
        where endpoint_id = event_endpoints.id and event_id = events.id)`)

/** An endpoint that is slow keeps its own waiting; where nothing is tried any more, somebody has forgotten it. */
const eventDeliveriesOverdue: Count = ({ isOurs }) =>
  numberOf(sql`
    select from event_deliveries join event_endpoints on event_endpoints.id = endpoint_id
    where ${isOurs('event_endpoints')} and event_deliveries.status = 'pending' and due_at <= now() - ${minute}
      and not exists (select from event_deliveries as latest
        where latest.endpoint_id = event_endpoints.id and latest.last_attempt_at > now() - ${minute})
    union all
    select from event_deliveries join event_endpoints on event_endpoints.id = endpoint_id
    where ${isOurs('event_endpoints')} and event_deliveries.status = 'pending' and due_at is null`)

const subscriptionUnchecked: Count = ({ isOurs, now, checkedWithinMs }) =>
  checkedWithinMs === undefined
    ? sql<Violations>`select 0 as violations`
    : numberOf(sql`
        select from calendly_subscriptions
        where ${isOurs('calendly_subscriptions')} and checked_at <= ${at(now - checkedWithinMs)}`)

export const messageInvariants = {
  deliveries_overdue: deliveriesOverdue,
  deliveries_unaccounted: deliveriesUnaccounted,
  deliveries_dead: deliveriesDead,
  event_sequence_gaps: eventSequenceGaps,
  event_position_gaps: eventPositionGaps,
  events_unpositioned: eventsUnpositioned,
  events_not_fanned_out: eventsNotFannedOut,
  event_deliveries_overdue: eventDeliveriesOverdue,
  subscription_unchecked: subscriptionUnchecked
} satisfies Record<string, Count>
