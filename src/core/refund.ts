import type { PolicyRule } from './refund-policy.ts'

export type RefundStatus =
  | 'awaiting_approval'
  | 'requested'
  | 'submitting'
  | 'unknown'
  | 'pending'
  | 'requires_action'
  | 'succeeded'
  | 'failed'
  | 'canceled'
  | 'rejected'

/** `external`: made in Stripe itself. */
export type RefundTrigger = 'cancellation' | 'no_show' | 'manual' | 'external'

/** How far the search for a lost answer has come. */
export type RefundResolution = {
  since: number
  /** In a row, since Stripe last could be asked. */
  tries: number
  /** When Stripe's list first lacked it; starts anew after another POST. */
  absentSince?: number | undefined
  /** How often it was sent and may have arrived, under whichever key. */
  posts: number
  /** How often Stripe has answered with a failure that it keeps under the present key. */
  keptFailures?: number | undefined
}

export type Refund = {
  id: string
  tenantId: string
  bookingId: string
  /** Stripe's charge. */
  charge: string
  status: RefundStatus
  trigger: RefundTrigger
  /** Minor units, as Stripe counts them. */
  amount: number
  currency: string
  /** Of what was left of the charge, in hundredths of a percent; undefined where an amount was named. */
  percentHundredths?: number | undefined
  rule?: PolicyRule | undefined
  policy?: { name: string; version: number } | undefined
  reason?: string | undefined
  /** Stripe's; undefined of those made in Stripe itself. */
  idempotencyKey?: string | undefined
  stripeRefund?: string | undefined
  failureReason?: string | undefined
  /** The one that failed, which this one tries again. */
  retryOf?: string | undefined
  /** The booking that Stripe was told of, where that has turned out to be a part of another: what is sent stays the same. */
  toldBookingId?: string | undefined
  resolution?: RefundResolution | undefined
  history: readonly { status: RefundStatus; at: number }[]
  version: number
  createdAt: number
  updatedAt: number
}

/** The one table of what may become of a refund. */
const transitions: Readonly<Record<RefundStatus, readonly RefundStatus[]>> = {
  awaiting_approval: ['requested', 'rejected'],
  requested: ['submitting'],
  submitting: ['requested', 'unknown', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled'],
  unknown: ['submitting', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled'],
  pending: ['requires_action', 'succeeded', 'failed', 'canceled'],
  requires_action: ['pending', 'succeeded', 'failed', 'canceled'],
  // The bank may send it back days later.
  succeeded: ['failed'],
  failed: [],
  canceled: [],
  rejected: []
}

/** The refund one version on. An impossible change of its status is a bug and throws. */
export function reviseRefund(refund: Refund, at: number, changes: Partial<Refund>): Refund {
  const { status = refund.status } = changes
  const isChanged = status !== refund.status
  if (isChanged && !transitions[refund.status].includes(status)) {
    throw new Error(`${refund.id} cannot go from ${refund.status} to ${status}`)
  }
  const history = isChanged ? nextHistory(refund, status, at) : refund.history
  return { ...refund, ...changes, history, version: refund.version + 1, updatedAt: at }
}

/** An attempt that leads back to where it began is no step: a Stripe that is away for days would fill it. */
function nextHistory({ status: from, history }: Refund, status: RefundStatus, at: number): Refund['history'] {
  const isBack = from === 'submitting' && history.at(-2)?.status === status
  return isBack ? history.slice(0, -1) : [...history, { status, at }]
}

export const canBecome = (from: RefundStatus, to: RefundStatus): boolean => transitions[from].includes(to)

/** Whether its amount is taken of the charge: only what came to nothing gives it back. */
export function isReserving({ status }: Pick<Refund, 'status'>): boolean {
  return status !== 'failed' && status !== 'canceled' && status !== 'rejected'
}

/** Whether Stripe has it. */
export function isAtStripe({ stripeRefund }: Pick<Refund, 'stripeRefund'>): boolean {
  return stripeRefund !== undefined
}
