export const differenceKinds = [
  'missing_booking',
  'missed_confirmation',
  'missed_cancellation',
  'missed_reschedule',
  'missed_no_show',
  'missed_no_show_removal',
  'time_differs',
  'host_differs',
  'active_at_calendly',
  'unknown_at_calendly',
  'unreadable',
  'not_applied',
  'missing_refund',
  'refund_differs',
  'charge_differs',
  'unknown_at_stripe'
] as const
export type DifferenceKind = (typeof differenceKinds)[number]

export type Difference = {
  kind: DifferenceKind
  bookingId?: string | undefined
  /** URI. */
  calendlyEvent?: string | undefined
  /** Stripe's names. */
  charge?: string | undefined
  stripeRefund?: string | undefined
  detail?: string | undefined
  repaired: boolean
}

/** `calls`: to whom it is compared with. */
export type Checked = {
  events: number
  invitees: number
  charges: number
  refunds: number
  calls: number
}

export type ReconciliationReport = {
  checked: Checked
  /** Of all differences, by kind. */
  counts: Readonly<Partial<Record<DifferenceKind, { found: number; repaired: number }>>>
  /** The first of them. */
  differences: readonly Difference[]
}

/** Of all that came to their end, ever since and on every replica. */
export type ReconciliationTotals = {
  runs: readonly { kind: string; trigger: string; status: string; count: number }[]
  differences: readonly { kind: string; found: number; repaired: number }[]
  /** By kind. */
  lastSuccessAt: Readonly<Record<string, number>>
}

const mostDifferences = 200

export const nothingChecked: Checked = { events: 0, invitees: 0, charges: 0, refunds: 0, calls: 0 }

export const emptyReport: ReconciliationReport = {
  checked: nothingChecked,
  counts: {},
  differences: []
}

/** What was left as it is may be found once more by whoever goes on after a crash; it counts once. */
export function withDifferences(
  report: ReconciliationReport,
  found: readonly Difference[]
): ReconciliationReport {
  const news = found.filter((one) => one.repaired || !report.differences.some((known) => isSame(one, known)))
  const counts = { ...report.counts }
  for (const { kind, repaired } of news) {
    const before = counts[kind] ?? { found: 0, repaired: 0 }
    counts[kind] = { found: before.found + 1, repaired: before.repaired + Number(repaired) }
  }
  const differences = [...report.differences, ...news].slice(0, mostDifferences)
  return { ...report, counts, differences }
}

const isSame = (one: Difference, other: Difference) =>
  one.kind === other.kind &&
  one.bookingId === other.bookingId &&
  one.calendlyEvent === other.calendlyEvent &&
  one.charge === other.charge &&
  one.stripeRefund === other.stripeRefund &&
  (one.calendlyEvent !== undefined || one.charge !== undefined)

export function withChecked(report: ReconciliationReport, more: Checked): ReconciliationReport {
  // One that an older version began counts no refunds.
  const so = { ...nothingChecked, ...report.checked }
  const checked = {
    events: so.events + more.events,
    invitees: so.invitees + more.invitees,
    charges: so.charges + more.charges,
    refunds: so.refunds + more.refunds,
    calls: so.calls + more.calls
  }
  return { ...report, checked }
}
