import type { BookingPayment } from './booking-payment.ts'
import type { Answer, CancellationFact, EventFact, EventHost, EventLocation, Tracking } from './calendly.ts'
import type { ProblemCode } from './errors.ts'
import type { RefundWish } from './payment-task.ts'
import type { Buffers } from './settings.ts'

export type BookingStatus = 'pending' | 'unknown' | 'confirmed' | 'canceled' | 'rejected' | 'needs_attention'
export type CancelerType = 'invitee' | 'host' | 'system'

export type Invitee = {
  name?: string | undefined
  firstName?: string | undefined
  lastName?: string | undefined
  email: string
  timezone?: string | undefined
  textReminderNumber?: string | undefined
}

export type Cancellation = {
  cancelerType: CancelerType
  canceledBy?: string | undefined
  reason?: string | undefined
  canceledAt: number
  /** Of one that we were asked for: when, and what is to happen to the money. */
  requestedAt?: number | undefined
  refund?: RefundWish | undefined
}

/** A change that was begun: our own durable word on who asked for it and what Calendly was told. */
export type Change =
  | {
      kind: 'cancel'
      state: 'pending' | 'unknown'
      requestedAt: number
      cancelerType: CancelerType
      canceledBy: string
      reason?: string | undefined
      scope: 'invitee' | 'event'
      /** What is to happen to the money: by the policy where nothing was said. */
      refund?: RefundWish | undefined
    }
  | Reschedule
  | {
      /** Begun on Calendly's own page: its second half is still to be heard of. */
      kind: 'move'
      state: 'pending' | 'unknown'
      requestedAt: number
      /** The invitee that Calendly named as the successor. */
      newInvitee?: string | undefined
    }

/**
 * A reschedule of ours, step by step; each step is persisted before it is begun. The booking itself stays at its old
 * time until the end.
 * New first: `booking_new → canceling_old`, and `canceling_new` where the old one could not be canceled.
 * With `cancelFirst`: `canceling_old → booking_new`, and `rebooking_old` where the new time was refused.
 */
export type Reschedule = {
  kind: 'reschedule'
  state: 'pending' | 'unknown'
  requestedAt: number
  step: 'booking_new' | 'canceling_old' | 'canceling_new' | 'rebooking_old'
  cancelFirst: boolean
  to: { startTime: number; endTime: number; hosts: readonly EventHost[]; buffers?: Buffers | undefined }
  /** What Calendly made of the new time. */
  successor?: Booking['calendly'] | undefined
  /** Of its event, where that was told. */
  seen?: Pick<EventFact, 'startTime' | 'endTime' | 'location' | 'hosts'> | undefined
  holdId?: string | undefined
  /** Why it failed, told once the old time stands for sure. */
  refusal?: Rejection | undefined
  overruled?: Overruled | undefined
}

/** What was done to the old or the new event at Calendly meanwhile, and not by us: it has the last word. */
export type Overruled = { of: 'old' | 'new' } & (
  | { kind: 'canceled'; fact?: CancellationFact | undefined }
  | { kind: 'moved'; newInvitee?: string | undefined }
)

/**
 * `at`: when we learned of it. `requestedAt`: of a reschedule of ours, which it tells from others to the same time.
 * `invitee`: URI of the one that it led to.
 */
export type Move = {
  from: number
  to: number
  at: number
  requestedAt?: number | undefined
  invitee?: string | undefined
}

/** One invitee of a booking that moves. Without `startTime` it was only named by a neighbour. */
export type Place = {
  /** URI; undefined where the answer was lost that would have named it. */
  invitee?: string | undefined
  startTime?: number | undefined
  /** By Calendly's clock. */
  createdAt?: number | undefined
}

export type Rejection = {
  code: ProblemCode
  detail: string
  pointer?: string | undefined
  retryAfterMs?: number | undefined
}

export type RefusedReschedule = {
  requestedAt: number
  startTime: number
  rejection: Rejection
  /** The old time was given up and had to be booked again. */
  isRebooked?: boolean | undefined
}

/** How far the search for a lost answer has come. */
export type Resolution = {
  since: number
  lookups: number
  /** When the first look-up found nothing; starts anew after another POST. */
  absentSince?: number | undefined
  posts: number
  /** Calendly called the slot taken when asked again: proof of absence now means rejection. */
  isTaken?: boolean | undefined
}

export type Booking = {
  id: string
  tenantId: string
  status: BookingStatus
  source: 'api' | 'webhook' | 'reconciliation'
  eventType: string
  /** One seat of a session that others share. */
  isGroup: boolean
  startTime: number
  endTime: number
  invitee: Invitee
  hosts: readonly EventHost[]
  /** What was asked for until Calendly says what it became. */
  requestedLocation?: { kind: string; location?: string | undefined } | undefined
  location?: EventLocation | undefined
  questionsAndAnswers: readonly Answer[]
  tracking: Tracking
  guests: readonly string[]
  sessionId?: string | undefined
  metadata: Readonly<Record<string, string>>
  /** The hold it was made with; given back to its caller should Calendly refuse the booking. */
  holdId?: string | undefined
  /** Kept free around it, as the event type's settings were when its time was taken. */
  buffers?: Buffers | undefined
  calendly: {
    event?: string | undefined
    invitee?: string | undefined
    cancelUrl?: string | undefined
    rescheduleUrl?: string | undefined
  }
  payment?: BookingPayment | undefined
  /** As its event type's was when it was made. */
  refundPolicy?: { name: string; version: number } | undefined
  cancellation?: Cancellation | undefined
  change?: Change | undefined
  reschedules: readonly Move[]
  /** Where it has been, oldest first, as far as heard of; kept once it has moved. */
  path?: readonly Place[] | undefined
  /** The booking that it turned out to be a part of. */
  mergedInto?: string | undefined
  /** Why the latest reschedule of ours came to nothing. */
  refusedReschedule?: RefusedReschedule | undefined
  noShow: boolean
  /** Calendly's URI of the no-show. */
  noShowUri?: string | undefined
  /** When that became so, by Calendly's clock, where Calendly said. */
  noShowAt?: number | undefined
  /** URIs of no-shows that have been removed: a late word of one of them is old. */
  pastNoShows?: readonly string[] | undefined
  rejection?: Rejection | undefined
  resolution?: Resolution | undefined
  version: number
  createdAt: number
  updatedAt: number
}

/** Whether Calendly's answer is still out. */
export function isUnresolved({ status }: Pick<Booking, 'status'>): boolean {
  return status === 'pending' || status === 'unknown' || status === 'needs_attention'
}

/** Whether the resolver looks for it: not yet a matter for a human. */
export function isSought({ status }: Pick<Booking, 'status'>): boolean {
  return status === 'pending' || status === 'unknown'
}

/** Whether the resolver still has something to find out, unless it is told so of what needs a human already. */
export function isOpen({ status, change }: Pick<Booking, 'status' | 'change'>): boolean {
  return isSought({ status }) || (change !== undefined && status !== 'needs_attention')
}

/** How far the search has come; one that begins now where there was none. */
export function resolutionOf({ resolution }: Pick<Booking, 'resolution'>, now: number): Resolution {
  return resolution ?? { since: now, lookups: 0, posts: 1 }
}

/** Claims of one session may overlap: a group's seats share it, a one-on-one booking is its own. */
export function sessionOf({
  id,
  isGroup,
  eventType,
  startTime
}: Pick<Booking, 'id' | 'isGroup' | 'eventType' | 'startTime'>): string {
  return isGroup ? `${eventType}@${startTime}` : id
}
