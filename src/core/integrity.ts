import { connectedTenant } from './connection.ts'
import { createRecent } from './recent.ts'
import type { System } from './system.ts'

/** Those of charges, refunds and the ledger. */
export const moneyInvariants = [
  'refunds_above_captured',
  'reservations_differing',
  'stripe_refunds_shared',
  'ledger_unbalanced',
  'ledger_differing',
  'automatic_refunds_doubled',
  'refunds_of_reschedules',
  'refund_successes_untold',
  'refund_amounts_foreign',
  'refund_finals_changed',
  'stripe_refunded_differing',
  'refunds_overdue',
  'payment_tasks_overdue',
  'charges_overdue'
] as const

/** What must hold at any moment, whatever has crashed; named for what breaks it. */
export const invariants = [
  'bookings_overlapping',
  'bookings_unclaimed',
  'claims_without_owner',
  'seats_oversold',
  'holds_overdue',
  'invitees_booked_twice',
  'intents_overdue',
  'bookings_needing_attention',
  'idempotency_keys_stuck',
  'deliveries_overdue',
  'deliveries_unaccounted',
  'deliveries_dead',
  'event_sequence_gaps',
  'event_position_gaps',
  'events_unpositioned',
  'events_not_fanned_out',
  'event_deliveries_overdue',
  'subscription_unchecked',
  ...moneyInvariants
] as const
export type Invariant = (typeof invariants)[number]

/** Counted over all tenants at once: positions are given to everybody's events in one row. */
const ofTheWhole: readonly Invariant[] = ['event_position_gaps']

/** What is judged against which time. Instants are epoch milliseconds by the clock of this process. */
export type IntegrityBounds = {
  now: number
  /** How long what has ended may wait for the sweeper. */
  sweptWithinMs: number
  /** How old an intent may get before it has an outcome or a human. */
  settledWithinMs: number
  /** How long ago the webhook subscription may have been looked for; undefined where none is kept. */
  checkedWithinMs: number | undefined
  /** How late a call to Stripe may be; undefined where there is no Stripe. */
  paysWithinMs: number | undefined
  /** What is older than that may have been removed. */
  keptForMs: number
}

export type Finding = { name: Invariant; violations: number }
export type IntegrityReport = { checkedAt: number; findings: readonly Finding[] }

type Deps = {
  system: Pick<System, 'now'>
  /** Of one tenant, or of all. */
  count: (invariant: Invariant, bounds: IntegrityBounds, tenantId?: string) => Promise<number>
  schedule: {
    lookupsMs: readonly number[]
    attentionMs: number
    sweepMs: number
    retentionMs: number
    /** Undefined where no subscription is kept. */
    subscriptionCheckMs: number | undefined
    hasStripe: boolean
  }
}

const minuteMs = 60_000
/** A service that has just started has not mended yet what the one before it left. */
const settlesWithinMs = minuteMs
/** For how long a look is as good as a new one. */
const lastsMs = 5_000

/** Counts, by looking at what is stored, how often each invariant is broken. */
export function createIntegrity({ system, count, schedule }: Deps) {
  const recall = createRecent<IntegrityReport>({ system, changes: () => 0, lastsMs })
  const startedAt = system.now()
  let latest: IntegrityReport | undefined

  /** One after the other, so that the look takes one connection. */
  async function look(names: readonly Invariant[], tenantId?: string): Promise<IntegrityReport> {
    const checkedAt = system.now()
    const bounds = boundsAt(checkedAt, schedule)
    const findings: Finding[] = []
    for (const name of names) findings.push({ name, violations: await count(name, bounds, tenantId) })
    return { checkedAt, findings }
  }

  return {
    /** Of the tenant; at most one look every few seconds. Throws `database_unavailable`, also when it takes too long. */
    check: (tenantId: string): Promise<IntegrityReport> =>
      recall(tenantId, () =>
        look(
          invariants.filter((name) => tenantId === connectedTenant || !ofTheWhole.includes(name)),
          tenantId
        )
      ),

    /** Looks at all tenants and keeps what it found for `latest`; not in the first minute. */
    async refresh(): Promise<void> {
      if (system.now() - startedAt >= settlesWithinMs) latest = await look(invariants)
    },

    /** Undefined until this replica has looked. */
    latest: (): IntegrityReport | undefined => latest
  }
}

export type Integrity = ReturnType<typeof createIntegrity>

export const isWhole = ({ findings }: IntegrityReport) => findings.every(({ violations }) => violations === 0)

function boundsAt(now: number, schedule: Deps['schedule']): IntegrityBounds {
  const { lookupsMs, attentionMs, sweepMs, retentionMs, subscriptionCheckMs, hasStripe } = schedule
  return {
    now,
    sweptWithinMs: minuteMs + 3 * sweepMs,
    // A look that comes just before that age is followed by another one.
    settledWithinMs: attentionMs + Math.max(0, ...lookupsMs) + minuteMs,
    checkedWithinMs: subscriptionCheckMs === undefined ? undefined : minuteMs + 3 * subscriptionCheckMs,
    paysWithinMs: hasStripe ? 5 * minuteMs : undefined,
    keptForMs: retentionMs
  }
}
