import type { Answer, EventHost, EventLocation, PaymentFact, Tracking } from './calendly.ts'
import type { ProblemCode } from './errors.ts'

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
    }
  | {
      kind: 'reschedule'
      state: 'pending' | 'unknown'
      requestedAt: number
      /** The invitee that Calendly named as the successor. */
      newInvitee?: string | undefined
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
  calendly: {
    event?: string | undefined
    invitee?: string | undefined
    cancelUrl?: string | undefined
    rescheduleUrl?: string | undefined
  }
  payment?: PaymentFact | { provider: 'stripe'; paymentIntent: string } | undefined
  cancellation?: Cancellation | undefined
  change?: Change | undefined
  reschedules: readonly { from: number; to: number; at: number }[]
  noShow: boolean
  rejection?:
    | { code: ProblemCode; detail: string; pointer?: string | undefined; retryAfterMs?: number | undefined }
    | undefined
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

/** Whether the resolver still has something to find out. */
export function isOpen({ status, change }: Pick<Booking, 'status' | 'change'>): boolean {
  return isSought({ status }) || change !== undefined
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
