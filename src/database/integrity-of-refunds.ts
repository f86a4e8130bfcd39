import { type RawBuilder, sql } from 'kysely'
import { ago, at, type Count, numberOf, type Scope, type Violations } from './integrity-counts.ts'

const hourMs = 3_600_000
/** What is to be read again sooner than that is not judged before. */
const soonMs = 30_000

/** What came to nothing takes nothing of the charge. */
const takes = sql<boolean>`refunds.status not in ('failed', 'canceled', 'rejected')`
const isAtStripe = sql<boolean>`refunds.status in ('pending', 'requires_action', 'succeeded')`
const isAutomatic = sql<boolean>`refunds.trigger in ('cancellation', 'no_show')`
const isOfCharge = sql<boolean>`refunds.tenant_id = charges.tenant_id and refunds.charge = charges.id`

/** What is asked for may meet what was refunded in Stripe meanwhile, and be refused; what Stripe has done may not. */
const refundsAboveCaptured: Count = ({ isOurs }) =>
  numberOf(sql`
    select from charges where ${isOurs('charges')} and (refunded > captured or reserved > captured or captured <
      (select coalesce(sum(amount), 0) from refunds where ${isOfCharge} and ${isAtStripe}))`)

const reservationsDiffering: Count = ({ isOurs }) =>
  numberOf(sql`
    select from charges left join lateral (
      select sum(amount) filter (where trigger <> 'external') as ours,
        sum(amount) filter (where trigger = 'external') as others
      from refunds where ${isOfCharge} and ${takes}) as taken on true
    where ${isOurs('charges')} and (reserved <> coalesce(ours, 0) or elsewhere <> coalesce(others, 0))`)

/** That no two have one is a constraint; so what is left is a key for two, and a success that Stripe has no name for. */
const stripeRefundsShared: Count = ({ isOurs }) =>
  numberOf(sql`
    select tenant_id, stripe_refund as shared from refunds
    where ${isOurs('refunds')} and stripe_refund is not null group by 1, 2 having count(*) > 1
    union all
    select tenant_id, idempotency_key from refunds
    where ${isOurs('refunds')} and idempotency_key is not null group by 1, 2 having count(*) > 1
    union all
    select tenant_id, id from refunds where ${isOurs('refunds')} and ${isAtStripe} and stripe_refund is null`)

const ledgerUnbalanced: Count = ({ isOurs }) =>
  numberOf(sql`
    select from ledger_entries where ${isOurs('ledger_entries')}
    group by transaction_id having sum(amount) <> 0 or count(*) <> 2 or count(distinct charge) > 1`)

/** What the ledger says of each account is what the rows say. */
const ledgerDiffering: Count = ({ isOurs }) =>
  numberOf(sql`
    select from charges left join lateral (
      select sum(amount) filter (where account = 'captured') as captured,
        sum(amount) filter (where account in ('reserved', 'refunded')) as ours,
        sum(amount) filter (where account = 'refunded') as refunded,
        sum(amount) filter (where account = 'elsewhere') as others
      from ledger_entries
      where ledger_entries.tenant_id = charges.tenant_id and ledger_entries.charge = charges.id) as booked on true
    where ${isOurs('charges')} and (charges.captured <> -coalesce(booked.captured, 0)
      or charges.reserved <> coalesce(ours, 0) or charges.elsewhere <> coalesce(others, 0)
      or coalesce(booked.refunded, 0) <> (select coalesce(sum(amount), 0) from refunds
        where ${isOfCharge} and status = 'succeeded' and trigger <> 'external'))`)

/** A chain is a booking and those that turned out to be a part of it. */
const automaticRefundsDoubled: Count = ({ isOurs }) =>
  numberOf(sql`
    select from refunds join bookings on bookings.tenant_id = refunds.tenant_id and bookings.id = booking_id
    where ${isOurs('refunds')} and ${isAutomatic}
    group by refunds.tenant_id, coalesce(bookings.details ->> 'mergedInto', bookings.id) having count(*) > 1`)

/** Who was only moved has not canceled. */
const refundsOfReschedules: Count = ({ isOurs }) =>
  numberOf(sql`
    select from refunds join bookings on bookings.tenant_id = refunds.tenant_id and bookings.id = booking_id
    where ${isOurs('refunds')} and trigger = 'cancellation'
      and (bookings.status <> 'canceled' or bookings.details ->> 'mergedInto' is not null)`)

/** Events are removed with age, so only what has happened since is looked for. */
const refundSuccessesUntold: Count = ({ isOurs, now, keptForMs }) =>
  numberOf(sql`
    select from refunds
    cross join lateral (
      select count(*) as many, min((step ->> 'at')::float8) as at
      from jsonb_array_elements(details -> 'history') as step where step ->> 'status' = 'succeeded') as successes
    where ${isOurs('refunds')} and (successes.many > 0 or status = 'succeeded')
      and coalesce(successes.at, 0) > ${now - keptForMs + hourMs}
      and successes.many <> (select count(*) from events where events.tenant_id = refunds.tenant_id
        and events.subject = refunds.id and events.type = 'refund.succeeded')
    union all
    select from events join refunds on refunds.tenant_id = events.tenant_id and refunds.id = subject
    where ${isOurs('events')} and events.type = 'refund.succeeded' and events.at > ${at(now - keptForMs + hourMs)}
      and not details -> 'history' @> '[{"status": "succeeded"}]'`)

const refundAmountsForeign: Count = ({ isOurs }) =>
  numberOf(sql`
    select refunds.tenant_id, refunds.id from refunds join charges on ${isOfCharge}
    where ${isOurs('refunds')} and (refunds.currency <> charges.currency or refunds.amount > charges.captured)
    union all
    select distinct charges.tenant_id, charges.id from ledger_entries join charges
      on charges.tenant_id = ledger_entries.tenant_id and charges.id = ledger_entries.charge
    where ${isOurs('ledger_entries')} and ledger_entries.currency <> charges.currency`)

/** By what is written down of each step. */
const refundFinalsChanged: Count = ({ isOurs }) =>
  numberOf(sql`
    select from refunds
    cross join lateral (
      select coalesce(bool_or(before in ('failed', 'canceled', 'rejected')
        or (before = 'succeeded' and step <> 'failed')), false) as is_changed
      from (select step ->> 'status' as step, lag(step ->> 'status') over (order by place) as before
        from jsonb_array_elements(details -> 'history') with ordinality as steps (step, place)) as pairs) as judged
    where ${isOurs('refunds')} and (is_changed or status is distinct from details -> 'history' -> -1 ->> 'status')`)

/** Where Stripe was read since anything of it changed, and is not about to be read again. */
const stripeRefundedDiffering: Count = ({ isOurs }) =>
  numberOf(sql`
    select from charges left join lateral (
      select sum(amount) filter (where ${isAtStripe}) as amount, max(updated_at) as changed_at,
        coalesce(bool_or(refunds.status in ('submitting', 'unknown')), false) as is_open
      from refunds where ${isOfCharge}) as known on true
    where ${isOurs('charges')} and not coalesce(is_open, false)
      and (look_at is null or (look_at > ${ago(-soonMs)} and coalesce(changed_at <= looked_at, true)))
      and refunded <> coalesce(known.amount, 0)`)

const refundsOverdue: Count = (scope) =>
  wherePaid(
    scope,
    (late) => sql`
      select from refunds where ${scope.isOurs('refunds')} and (resolve_at <= ${late}
        or (resolve_at is null and status in ('requested', 'submitting', 'unknown')))`
  )

const paymentTasksOverdue: Count = (scope) =>
  wherePaid(
    scope,
    (late) => sql`select from payment_tasks where ${scope.isOurs('payment_tasks')} and due_at <= ${late}`
  )

const chargesOverdue: Count = (scope) =>
  wherePaid(scope, (late) => sql`select from charges where ${scope.isOurs('charges')} and look_at <= ${late}`)

/** Where Stripe cannot be asked, what waits for it waits rightly. */
function wherePaid(
  { paysWithinMs }: Scope,
  query: (late: RawBuilder<number>) => RawBuilder<unknown>
): RawBuilder<Violations> {
  return paysWithinMs === undefined
    ? sql<Violations>`select 0 as violations`
    : numberOf(query(ago(paysWithinMs)))
}

export const refundInvariants = {
  refunds_above_captured: refundsAboveCaptured,
  reservations_differing: reservationsDiffering,
  stripe_refunds_shared: stripeRefundsShared,
  ledger_unbalanced: ledgerUnbalanced,
  ledger_differing: ledgerDiffering,
  automatic_refunds_doubled: automaticRefundsDoubled,
  refunds_of_reschedules: refundsOfReschedules,
  refund_successes_untold: refundSuccessesUntold,
  refund_amounts_foreign: refundAmountsForeign,
  refund_finals_changed: refundFinalsChanged,
  stripe_refunded_differing: stripeRefundedDiffering,
  refunds_overdue: refundsOverdue,
  payment_tasks_overdue: paymentTasksOverdue,
  charges_overdue: chargesOverdue
} satisfies Record<string, Count>
