import { type Booking, resolutionOf, sessionOf } from './booking.ts'
import { revise } from './booking-changes.ts'
import type { BookingReads, BookingTables, Transact } from './booking-tables.ts'
import type { CancellationFact, CancelOutcome, EventFact, InviteeFact } from './calendly.ts'
import type { Caller } from './callers.ts'
import { cancelBeside, reasonFor } from './cancel-beside.ts'
import {
  type CancelIntent,
  type CancelRequest,
  groupEvent,
  intentOf,
  isCanceling,
  refuse,
  refuseShared
} from './cancel-request.ts'
import { AppError } from './errors.ts'
import type { Execution } from './idempotency.ts'
import type { PaymentCheck } from './payment-check.ts'
import { lockBooking, note, recordCanceled } from './recording.ts'
import { recordOldCanceled } from './reschedule-records.ts'
import { isRescheduling } from './rescheduling.ts'
import { hasNeighbours } from './seats.ts'
import { findStanding, type Standing, unseen } from './standing.ts'
import { submissionLeaseMs } from './submission.ts'
import type { System } from './system.ts'

type Deps = {
  system: System
  transact: Transact
  reads: Pick<BookingReads, 'find'>
  lookupsMs: readonly number[]
  payments: Pick<PaymentCheck, 'checkWish'>
  calendly: {
    cancelEvent: (event: string, reason?: string) => Promise<CancelOutcome>
    findEvent: (uri: string) => Promise<EventFact | undefined>
    findInvitee: (uri: string) => Promise<InviteeFact | undefined>
    dropAvailability: (eventType: string, hosts: readonly string[]) => void
  }
}

/** What was asked for is written first and then sought until it is done or Calendly refuses it. */
export function createCancellations({ system, transact, reads, lookupsMs, payments, calendly }: Deps) {
  return {
    /** The booking as it is now: `canceled`, or with a `change` that is still under way. */
    async cancel(caller: Caller, id: string, request: CancelRequest, execution: Execution): Promise<Booking> {
      const booking = await reads.find(caller.tenantId, id)
      if (!booking) throw new AppError('booking_not_found')
      if (isCanceling(booking)) return booking
      refuse(booking, system.now())
      const standing = booking.isGroup ? await findStanding(calendly, booking.calendly) : unseen
      refuseShared(standing, request.scope)
      await payments.checkWish(booking, request.refund)
      const begun = await transact((tables) => begin(tables, booking, request, standing, execution))
      if (!begun.isOurs) return begun.booking
      const result = await proceed(begun.booking, standing).catch((error: unknown) => {
        // The intent is durable and the resolver goes on with it.
        if (error instanceof AppError && error.status === 503) return begun.booking
        throw error
      })
      if (result instanceof AppError) throw result
      return result
    },

    /** For the resolver: what became of a cancellation that was begun? Looks before it asks again. */
    async resume(booking: Booking, intent: CancelIntent): Promise<void> {
      const standing = await findStanding(calendly, booking.calendly)
      const isOthers = standing.kind === 'active' && standing.isShared && intent.scope !== 'event'
      await (isOthers ? giveUp(booking, groupEvent()) : proceed(booking, standing))
    }
  }

  /** What is gone already needs no asking, which in a group would hit the others. */
  async function proceed(booking: Booking, standing: Standing): Promise<Booking | AppError> {
    return standing.kind === 'canceled' || standing.kind === 'moved'
      ? conclude(booking, standing)
      : perform(booking, standing)
  }

  /** Asks Calendly. The booking as it then stands, or why it cannot be canceled. */
  async function perform(booking: Booking, standing: Standing): Promise<Booking | AppError> {
    const outcome = await calendly.cancelEvent(booking.calendly.event ?? '', reasonFor(booking, standing))
    calendly.dropAvailability(
      booking.eventType,
      booking.hosts.map(({ user }) => user)
    )
    switch (outcome.kind) {
      case 'done':
        return finish(booking, outcome.cancellation, true)
      case 'ambiguous':
        return postpone(booking, 'unknown')
      case 'not_done':
        return postpone(booking, 'pending')
      case 'refused': {
        const standing = await findStanding(calendly, booking.calendly).catch(() => undefined)
        if (!standing) return postpone(booking, 'unknown')
        if (standing.kind === 'active' || standing.kind === 'missing') {
          return giveUp(booking, new AppError('not_cancelable', outcome.detail))
        }
        return conclude(booking, standing)
      }
    }
  }

  async function conclude(
    booking: Booking,
    standing: Extract<Standing, { kind: 'canceled' | 'moved' }>
  ): Promise<Booking | AppError> {
    return standing.kind === 'canceled'
      ? finish(booking, standing.fact, standing.isWholeEvent)
      : giveUp(booking, new AppError('not_cancelable', 'It has just been rescheduled: read it again.'))
  }

  /** `isOurs` is false when somebody else had begun it: theirs is the call to Calendly. */
  async function begin(
    tables: BookingTables,
    asked: Booking,
    request: CancelRequest,
    standing: Standing,
    execution: Execution
  ): Promise<{ booking: Booking; isOurs: boolean }> {
    const booking = await lockBooking(tables, asked)
    await execution.begin(tables, booking.id)
    if (isCanceling(booking)) return { booking, isOurs: false }
    const now = system.now()
    refuse(booking, now)
    if (standing.kind === 'active' && booking.isGroup && request.scope !== 'event') {
      await refuseNeighbours(tables, booking)
    }
    const next = revise(booking, now, { change: intentOf(booking, request, now), resolution: undefined })
    await tables.bookings.update(next, submissionLeaseMs)
    await note(tables, next, 'cancel_requested', {
      canceler_type: request.cancelerType,
      refund: request.refund
    })
    return { booking: next, isOurs: true }
  }

  /** Whoever takes a seat locks the session too: those who begin later find this cancellation. */
  async function refuseNeighbours(tables: BookingTables, booking: Booking): Promise<void> {
    await tables.sessions.lockKnown(booking.tenantId, sessionOf(booking))
    if (await hasNeighbours(tables, booking)) throw groupEvent()
  }

  /** With the whole event every booking of ours in it is gone. */
  async function finish(
    asked: Booking,
    fact: CancellationFact | undefined,
    isWholeEvent: boolean
  ): Promise<Booking> {
    return transact(async (tables) => {
      const others = isWholeEvent
        ? await tables.bookings.lockByEvent(asked.tenantId, asked.calendly.event ?? '')
        : []
      const booking = await lockBooking(tables, asked)
      const now = system.now()
      for (const other of others) {
        // Who was moved out of the event is not canceled with it.
        const isGone = other.status !== 'confirmed' || other.change?.kind === 'move'
        if (other.id === asked.id || isGone) continue
        if (isRescheduling(other)) await recordOldCanceled({ tables, now, isActor: false }, other, fact)
        else await cancelBeside(tables, other, asked.change, fact, now)
      }
      return booking.status === 'confirmed' ? recordCanceled(tables, booking, now, fact) : booking
    })
  }

  async function postpone(asked: Booking, state: CancelIntent['state']): Promise<Booking> {
    return transact(async (tables) => {
      const booking = await lockBooking(tables, asked)
      if (booking.change?.kind !== 'cancel') return booking
      const now = system.now()
      const resolution = resolutionOf(booking, now)
      const next = revise(booking, now, {
        change: { ...booking.change, state },
        resolution: { ...resolution, lookups: resolution.lookups + 1 }
      })
      await tables.bookings.update(next, lookupsMs[Math.min(resolution.lookups, lookupsMs.length - 1)])
      return next
    })
  }

  async function giveUp<E extends AppError>(asked: Booking, reason: E): Promise<E> {
    await transact(async (tables) => {
      const booking = await lockBooking(tables, asked)
      if (booking.change?.kind !== 'cancel') return
      const next = revise(booking, system.now(), { change: undefined, resolution: undefined })
      await tables.bookings.update(next)
      await note(tables, next, 'cancel_failed', { detail: reason.message })
    })
    return reason
  }
}

export type Cancellations = ReturnType<typeof createCancellations>
