import type { Booking } from './booking.ts'
import { revise } from './booking-changes.ts'
import { joinedPayment, stripeReferenceOf } from './booking-payment.ts'
import type { BookingTables } from './booking-tables.ts'
import { awaitNext } from './fact-moves.ts'
import { isOnPath, joinedPaths, movesAlong, pathOf } from './path.ts'
import { announceMoves, claimFact, note } from './recording.ts'
import { planReading, planRefund } from './refund-plan.ts'
import { isRescheduling } from './rescheduling.ts'
import { submissionLeaseMs } from './submission.ts'

/** `joint`: URI of the invitee of `earlier` that was moved to where `later` begins. */
type Chain = { earlier: Booking; later: Booking; joint: string }

/**
 * Makes one booking of two that a fact shows to be one, both locked. The one of a caller of ours stays, else the one that
 * was heard of first; undefined while one of them is being rescheduled by us, after which they are looked at again.
 */
export async function mergeChain(
  tables: BookingTables,
  chain: Chain,
  now: number
): Promise<Booking | undefined> {
  const { earlier, later } = chain
  if (isRescheduling(earlier)) return undefined
  if (isRescheduling(later)) {
    const named = { invitee: { uri: chain.joint, newInvitee: pathOf(later)[0]?.invitee }, now }
    const stands = earlier.status === 'confirmed' && earlier.change?.kind !== 'move'
    if (stands) await awaitNext(tables, earlier, named)
    return undefined
  }
  const survivor = survivorOf(earlier, later)
  const lost = survivor === earlier ? later : earlier
  await endAsPart(tables, lost, survivor.id, now)
  const merged = await takeOver(tables, chain, { survivor, lost }, now)
  await tables.invitees.reassign(merged.tenantId, lost.id, merged.id)
  await note(tables, merged, 'merged', { booking: lost.id })
  await announceMoves(tables, survivor, merged)
  if (survivor.status !== 'canceled' && merged.status === 'canceled') {
    await note(tables, merged, 'canceled', { canceler_type: merged.cancellation?.cancelerType ?? null })
  }
  await takeOverMoney(tables, merged, { survivor, lost })
  return merged
}

function survivorOf(one: Booking, other: Booking): Booking {
  if (one.source !== other.source && (one.source === 'api' || other.source === 'api'))
    return one.source === 'api' ? one : other
  return one.id < other.id ? one : other
}

/** Its time is given back. Nobody canceled it: what becomes of it is told of the other. */
async function endAsPart(tables: BookingTables, lost: Booking, into: string, now: number): Promise<void> {
  const next = revise(lost, now, {
    status: 'canceled',
    mergedInto: into,
    change: undefined,
    resolution: undefined,
    cancellation: lost.cancellation ?? {
      cancelerType: 'system',
      reason: `It is ${into}, which was moved.`,
      canceledAt: now
    }
  })
  await tables.bookings.update(next)
  await note(tables, next, 'merged_into', { booking: into })
  await tables.claims.release(next.tenantId, next.id)
}

async function takeOver(
  tables: BookingTables,
  { earlier, later, joint }: Chain,
  { survivor, lost }: { survivor: Booking; lost: Booking },
  now: number
): Promise<Booking> {
  const [former, following] = [pathOf(earlier), pathOf(later)]
  const path = joinedPaths(former, following, joint)
  // The last word has whoever was moved furthest.
  const isEarlierLast = isOnPath(former, joint) && former.at(-1)?.invitee !== joint
  const last = isEarlierLast ? earlier : later
  if (survivor !== last && survivor.change?.kind === 'cancel')
    await note(tables, survivor, 'cancel_failed', { detail: 'It was rescheduled first.' })
  const next = revise({ ...survivor, change: undefined }, now, {
    ...(survivor !== last && presentOf(last)),
    change: last.change,
    path,
    reschedules: movesAlong(path, [...earlier.reschedules, ...later.reschedules], now),
    payment: joinedPayment(earlier.payment, later.payment),
    refundPolicy: survivor.refundPolicy ?? lost.refundPolicy,
    sessionId: survivor.sessionId ?? lost.sessionId
  })
  await tables.bookings.update(next, last.change && submissionLeaseMs)
  if (survivor === last) return next
  await tables.claims.release(next.tenantId, next.id)
  if (next.status === 'confirmed' && next.change?.kind !== 'move') await claimFact(tables, next)
  return next
}

/** What was refunded, and what was to be decided, was of one payment. One that its end knew nothing of is due now. */
async function takeOverMoney(
  tables: BookingTables,
  merged: Booking,
  { survivor, lost }: { survivor: Booking; lost: Booking }
): Promise<void> {
  await tables.refunds.reassign(merged.tenantId, lost.id, merged.id)
  await tables.paymentTasks.reassign(merged.tenantId, lost.id, merged.id)
  if (merged.status === 'confirmed') return planReading(tables, merged)
  const ended = survivor.status === 'canceled' ? survivor : lost
  const isNews = stripeReferenceOf(ended) === undefined && merged.payment !== ended.payment
  if (merged.status === 'canceled' && isNews) await planRefund(tables, merged)
}

/** Where it stands: all that a move changes. */
function presentOf(last: Booking): Partial<Booking> {
  const { status, startTime, endTime, hosts, location, buffers, calendly } = last
  const { noShow, noShowUri, noShowAt, cancellation, rejection, resolution } = last
  return {
    ...{ status, startTime, endTime, hosts, location, buffers, calendly },
    ...{ noShow, noShowUri, noShowAt, cancellation, rejection, resolution }
  }
}
