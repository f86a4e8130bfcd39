import type { Booking, Change, Rejection } from './booking.ts'
import { revise } from './booking-changes.ts'
import type { Transact } from './booking-tables.ts'
import type { CancelOutcome, EventFact, InviteeFact } from './calendly.ts'
import { AppError } from './errors.ts'
import type { Execution } from './idempotency.ts'
import type { LookUp } from './look-up.ts'
import { recordAttention } from './reschedule-ends.ts'
import {
  recordNewCanceled,
  recordNewMoved,
  recordOldCanceled,
  recordOldKept,
  recordOldMoved
} from './reschedule-records.ts'
import { createStepWriting } from './reschedule-writing.ts'
import { type Rescheduling, searchOf, targetOf } from './rescheduling.ts'
import { findStanding, type Standing, unseen } from './standing.ts'
import type { System } from './system.ts'

type Deps = {
  system: System
  transact: Transact
  lookUp: LookUp
  calendly: {
    cancelEvent: (event: string, reason?: string) => Promise<CancelOutcome>
    findEvent: (uri: string) => Promise<EventFact | undefined>
    findInvitee: (uri: string) => Promise<InviteeFact | undefined>
    dropAvailability: (eventType: string, hosts: readonly string[]) => void
  }
}

/** The steps of a reschedule that cancel: the old event or, where that stays, the new one. */
export function createRescheduleCanceling({ system, transact, lookUp, calendly }: Deps) {
  const write = createStepWriting({ system, transact })

  /** Asks Calendly, whose record is read first where others may sit in the same event. */
  async function cancel(booking: Rescheduling, execution?: Execution): Promise<Booking> {
    const standing = booking.isGroup ? await standingOf(booking) : unseen
    return standing ? proceed(booking, standing, execution) : unreachable(booking, execution)
  }

  /** For the resolver: looks before it asks again. */
  async function resume(booking: Rescheduling): Promise<Booking> {
    const standing = await standingOf(booking)
    return standing ? proceed(booking, standing) : postpone(booking, booking.change.state)
  }

  return { cancel, resume }

  function standingOf(booking: Rescheduling): Promise<Standing | undefined> {
    return findStanding(calendly, targetOf(booking)).catch((error: unknown) => {
      if (error instanceof AppError && error.status === 503) return undefined
      throw error
    })
  }

  async function proceed(booking: Rescheduling, standing: Standing, execution?: Execution): Promise<Booking> {
    if (standing.kind === 'canceled' || standing.kind === 'moved') return conclude(booking, standing)
    if (standing.kind === 'active' && standing.isShared) return kept(booking, groupRefusal)
    const outcome = await calendly.cancelEvent(targetOf(booking).event ?? '', reasonOf(booking.change))
    calendly.dropAvailability(
      booking.eventType,
      booking.hosts.map(({ user }) => user)
    )
    switch (outcome.kind) {
      case 'done':
        return conclude(booking, { kind: 'canceled', fact: undefined, isWholeEvent: true })
      case 'ambiguous':
        return postpone(booking, 'unknown')
      case 'not_done':
        return unreachable(booking, execution, outcome)
      case 'refused': {
        const now = await standingOf(booking)
        if (!now) return postpone(booking, 'unknown')
        if (now.kind === 'canceled' || now.kind === 'moved') return conclude(booking, now)
        return kept(booking, { code: 'not_reschedulable', detail: outcome.detail })
      }
    }
  }

  function conclude(
    booking: Rescheduling,
    standing: Extract<Standing, { kind: 'canceled' | 'moved' }>
  ): Promise<Booking> {
    const isOld = booking.change.step === 'canceling_old'
    return write(booking, (writer, current) => {
      if (standing.kind === 'canceled') {
        return isOld
          ? recordOldCanceled(writer, current, standing.fact)
          : recordNewCanceled(writer, current, standing.fact)
      }
      return isOld
        ? recordOldMoved(writer, current, standing.newInvitee)
        : recordNewMoved(writer, current, standing.newInvitee)
    })
  }

  function kept(booking: Rescheduling, refusal: Rejection): Promise<Booking> {
    return write(booking, (writer, current) =>
      booking.change.step === 'canceling_old'
        ? recordOldKept(writer, current, refusal)
        : recordAttention(writer, current, 'new_time_kept', { code: refusal.code, detail: refusal.detail })
    )
  }

  /** Calendly surely did nothing. While nothing else was done either, that is an answer for a caller who waits. */
  async function unreachable(
    booking: Rescheduling,
    execution: Execution | undefined,
    { detail, retryAfterMs }: { detail?: string; retryAfterMs?: number | undefined } = {}
  ): Promise<Booking> {
    const { cancelFirst, step, state } = booking.change
    if (!execution || !cancelFirst || step !== 'canceling_old' || state !== 'pending') {
      return postpone(booking, 'pending')
    }
    return write(booking, async (writer, current) => {
      await execution.forget(writer.tables)
      const why = detail ?? 'Calendly cannot be reached.'
      return recordOldKept(writer, current, { code: 'calendly_unavailable', detail: why, retryAfterMs })
    })
  }

  /** Until it is done; a human hears of it when that takes too long. */
  function postpone(asked: Rescheduling, state: Change['state']): Promise<Booking> {
    return write(asked, async (writer, booking) => {
      const { tables, now } = writer
      const before = searchOf(booking)
      const resolution = { ...before, lookups: before.lookups + 1 }
      const dueMs = lookUp.nextMs(resolution, now)
      if (booking.status === 'confirmed' && lookUp.isOverdue(before, now)) {
        return recordAttention(writer, booking, 'not_canceled', {}, dueMs)
      }
      const next = revise(booking, now, { change: { ...booking.change, state }, resolution })
      await tables.bookings.update(next, dueMs)
      return next
    })
  }
}

const groupRefusal: Rejection = {
  code: 'group_event',
  detail: 'Others sit in the same event, which Calendly can only cancel as a whole.'
}

/** Read by the invitee. */
function reasonOf({ step }: Extract<Change, { kind: 'reschedule' }>): string {
  return step === 'canceling_old' ? 'Rescheduled to another time.' : 'The former time stands.'
}
