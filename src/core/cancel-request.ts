import type { Booking, CancelerType, Change } from './booking.ts'
import { AppError } from './errors.ts'
import type { RefundWish } from './payment-task.ts'
import { needsResolving } from './reschedule-refusals.ts'
import type { Standing } from './standing.ts'

export type CancelRequest = {
  reason?: string | undefined
  cancelerType: CancelerType
  /** What is to happen to the money; kept with the intent. */
  refund: RefundWish
  /** Calendly can only cancel a whole event: `event` says that the others in it may go too. */
  scope: 'invitee' | 'event'
}

export type CancelIntent = Extract<Change, { kind: 'cancel' }>

/** Done, or asked for already: once more changes nothing. */
export function isCanceling({ status, change }: Booking): boolean {
  return status === 'canceled' || change?.kind === 'cancel'
}

export function groupEvent(): AppError {
  return new AppError('group_event', 'Calendly can only cancel it for everybody: send scope "event".')
}

export function refuseShared(standing: Standing, scope: CancelRequest['scope']): void {
  if (standing.kind === 'active' && standing.isShared && scope !== 'event') throw groupEvent()
}

/** Throws `not_cancelable` with the reason. */
export function refuse(booking: Booking, now: number): void {
  const refusal = (detail: string) => new AppError('not_cancelable', detail)
  if (booking.status === 'rejected') throw refusal('It was rejected.')
  if (booking.status === 'needs_attention') throw refusal(needsResolving)
  if (booking.status !== 'confirmed') throw refusal('Its outcome is not known yet.')
  if (booking.change) throw refusal('It is being rescheduled.')
  if (booking.startTime <= now) throw refusal('It has begun.')
}

export function intentOf(
  booking: Booking,
  { cancelerType, reason, scope, refund }: CancelRequest,
  now: number
): CancelIntent {
  const names = {
    invitee: booking.invitee.name ?? booking.invitee.firstName ?? 'invitee',
    host: booking.hosts[0]?.name ?? 'host',
    system: 'system'
  }
  const canceledBy = names[cancelerType]
  return {
    kind: 'cancel',
    state: 'pending',
    requestedAt: now,
    cancelerType,
    canceledBy,
    reason,
    scope,
    refund
  }
}
