import { z } from 'zod'
import { formatInstant } from '../core/instants.ts'
import {
  type Reconciliation,
  reconciliationStatuses,
  reconciliationTriggers
} from '../core/reconciliation.ts'
import { type DifferenceKind, differenceKinds, nothingChecked } from '../core/reconciliation-report.ts'
import { instantIn, instantOut, optionalInstant, pageInQuery, pageOf, textIn } from './common.ts'

const kind = z.enum(['calendly', 'stripe'])

export const reconciliationIn = z
  .strictObject({
    kind,
    from: instantIn.optional().meta({
      description:
        'Of Calendly, the earliest start time to look at, a day ago unless given; of Stripe, when the earliest refund was made, 35 days ago unless given'
    }),
    to: instantIn
      .optional()
      .meta({ description: 'Start times, or refunds, before this one; open unless given' })
  })
  .meta({ id: 'ReconciliationRequest' })

export const reconciliationId = z.strictObject({ id: textIn(64) })

export const reconciliationPageIn = z.strictObject(pageInQuery)

const count = z.int().nonnegative()

const differenceOut = z.object({
  kind: z.enum(differenceKinds),
  booking_id: z.string().nullable(),
  calendly_event: z.string().nullable(),
  charge: z.string().nullable().meta({ description: 'Stripe’s' }),
  stripe_refund: z.string().nullable(),
  detail: z.string().nullable(),
  repaired: z.boolean()
})

export const reconciliationOut = z
  .object({
    id: z.string(),
    kind,
    trigger: z.enum(reconciliationTriggers),
    requested_by: z.string().nullable(),
    status: z.enum(reconciliationStatuses),
    from: instantOut.nullable(),
    to: instantOut.nullable(),
    created_at: instantOut,
    started_at: instantOut.nullable(),
    finished_at: instantOut.nullable(),
    failure: z.string().nullable(),
    checked: z
      .object({ events: count, invitees: count, charges: count, refunds: count, calls: count })
      .meta({ description: 'What was looked at, and the calls that it took; so far, of one that runs' }),
    difference_counts: z
      .partialRecord(z.enum(differenceKinds), z.object({ found: count, repaired: count }))
      .meta({ description: 'Of all differences, by kind' }),
    differences: z.array(differenceOut).meta({ description: 'The first 200' })
  })
  .meta({ id: 'Reconciliation' })

export const reconciliationsOut = pageOf(reconciliationOut)

export function presentReconciliation(of: Reconciliation): z.input<typeof reconciliationOut> {
  const { checked, counts, differences } = of.report
  return {
    id: of.id,
    kind: of.kind,
    trigger: of.trigger,
    requested_by: of.requestedBy ?? null,
    status: of.status,
    from: optionalInstant(of.from),
    to: optionalInstant(of.to),
    created_at: formatInstant(of.createdAt),
    started_at: optionalInstant(of.startedAt),
    finished_at: optionalInstant(of.finishedAt),
    failure: of.failure ?? null,
    checked: { ...nothingChecked, ...checked },
    difference_counts: { ...counts } satisfies Partial<Record<DifferenceKind, unknown>>,
    differences: differences.map(
      ({ kind, bookingId, calendlyEvent, charge, stripeRefund, detail, repaired }) => ({
        kind,
        booking_id: bookingId ?? null,
        calendly_event: calendlyEvent ?? null,
        charge: charge ?? null,
        stripe_refund: stripeRefund ?? null,
        detail: detail ?? null,
        repaired
      })
    )
  }
}
