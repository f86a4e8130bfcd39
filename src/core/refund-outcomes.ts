import { lookNow } from './look-schedule.ts'
import type { StripeRefundOutcome } from './payments.ts'
import type { Refund, RefundResolution } from './refund.ts'
import { applyStripeRefund, changeRefund } from './refund-recording.ts'
import type { RefundTables } from './refund-tables.ts'
import type { System } from './system.ts'

const firstPauseMs = 500
const longestPauseMs = 300_000

export type Log = Record<'warn' | 'error', (fields: object, phrase: string) => void>

type Context = { system: Pick<System, 'now' | 'random'>; log: Log }

/** Writes down what became of sending a refund, as it was when it was sent, and when it is to be taken further. */
export async function recordOutcome(
  tables: RefundTables,
  begun: Refund,
  outcome: StripeRefundOutcome,
  { system, log }: Context
): Promise<Refund> {
  const refund = await lockRefund(tables, begun)
  const now = system.now()
  // What was done is so, whoever else was at it meanwhile.
  if (outcome.kind === 'done') return applyStripeRefund(tables, refund, outcome.refund, now)
  if (refund.version !== begun.version) return refund
  const before = resolutionOf(refund, now)
  const resolution = { ...before, tries: before.tries + 1 }
  const pauseMs = pauseAfter(resolution.tries, system)
  const { id, tenantId } = refund
  switch (outcome.kind) {
    case 'refused': {
      const { code, detail } = outcome
      log.error({ refund: id, code, detail }, 'Stripe refused a refund')
      const changes = { status: 'failed', failureReason: code, resolution: undefined } as const
      const failed = await changeRefund(tables, refund, now, changes)
      await lookNow(tables, { tenantId, id: refund.charge })
      return failed
    }
    case 'not_done': {
      log.warn({ refund: id, detail: outcome.detail }, 'refund is sent later')
      const posts = resolution.posts - 1
      // After a lost answer it is not certain any more that nothing was done before.
      const status = posts === 0 ? 'requested' : 'unknown'
      const waitMs = Math.max(outcome.retryAfterMs ?? 0, pauseMs)
      return changeRefund(tables, refund, now, { status, resolution: { ...resolution, posts } }, waitMs)
    }
    case 'ambiguous': {
      log.warn({ refund: id, err: outcome.cause }, 'answer to a refund was lost')
      const keptFailures = (resolution.keptFailures ?? 0) + (outcome.isKept ? 1 : 0)
      const changes = { status: 'unknown', resolution: { ...resolution, keptFailures } } as const
      return changeRefund(tables, refund, now, changes, pauseMs)
    }
  }
}

/** Behind its booking and its charge, as everybody locks. */
export async function lockRefund(
  tables: RefundTables,
  { tenantId, bookingId, charge, id }: Refund
): Promise<Refund> {
  await tables.bookings.lock(tenantId, bookingId)
  await tables.charges.lock(tenantId, charge)
  const refund = await tables.refunds.lock(tenantId, id)
  if (!refund) throw new Error(`${id} has vanished`)
  return refund
}

export const resolutionOf = ({ resolution }: Refund, now: number): RefundResolution =>
  resolution ?? { since: now, tries: 0, posts: 0 }

/** In milliseconds, longer with each try. */
export function pauseAfter(tries: number, { random }: Pick<System, 'random'>): number {
  return (0.5 + random() / 2) * Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(tries, 20))
}
