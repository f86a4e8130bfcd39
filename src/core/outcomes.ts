import { type Booking, isUnresolved, type Resolution, resolutionOf } from './booking.ts'
import { confirmed, revise } from './booking-changes.ts'
import type { BookingTables, Transact } from './booking-tables.ts'
import type { EventFact, InviteeFact, InviteeOutcome, InviteeRequest } from './calendly.ts'
import type { ProblemCode } from './errors.ts'
import type { Facts } from './facts.ts'
import type { Execution } from './idempotency.ts'
import { lockBooking, note, reclaim, recordRejected } from './recording.ts'
import { insist, lossOf, rejectionOf, requestOf, submissionLeaseMs } from './submission.ts'
import type { System } from './system.ts'

type Deps = {
  system: System
  transact: Transact
  facts: Facts
  /** Milliseconds from one look-up to the next; the last one repeats. */
  lookupsMs: readonly number[]
  calendly: {
    createInvitee: (request: InviteeRequest) => Promise<InviteeOutcome>
    findEvent: (uri: string) => Promise<EventFact | undefined>
  }
}

/** Sends a booking to Calendly and writes down what became of it. Used by the request itself and by the resolver. */
export function createOutcomes({ system, transact, facts, lookupsMs, calendly }: Deps) {
  return {
    /** One `POST /invitees`. The intent must have been committed before. */
    async submit(booking: Booking, execution?: Execution): Promise<Booking> {
      // A process that slept past its lease leaves it to the resolver, which may be at it already.
      if (system.now() - booking.updatedAt >= submissionLeaseMs) return booking
      const outcome = await calendly.createInvitee(requestOf(booking))
      const settled = await insist(system, () =>
        transact((tables) => settle(tables, booking, outcome, execution))
      )
      return outcome.kind === 'done' ? complete(settled, outcome.invitee) : settled
    }
  }

  /** The answer to a booking names no host, no room and no link: one more read, and dispensable. */
  async function complete(booking: Booking, invitee: InviteeFact): Promise<Booking> {
    try {
      const event = await calendly.findEvent(invitee.event)
      if (!event) return booking
      return await transact(async (tables) => {
        await facts.apply(tables, booking.tenantId, invitee, event, 'webhook')
        return lockBooking(tables, booking)
      })
    } catch {
      return booking
    }
  }

  async function settle(
    tables: BookingTables,
    submitted: Booking,
    outcome: InviteeOutcome,
    execution?: Execution
  ): Promise<Booking> {
    const now = system.now()
    const booking = await lockBooking(tables, submitted)
    // The webhook may have overtaken the answer; what it applied stands.
    if (!isUnresolved(booking)) return booking

    switch (outcome.kind) {
      case 'done': {
        const next = confirmed(booking, now, outcome.invitee)
        const link = { uri: outcome.invitee.uri, bookingId: next.id, state: 'active' as const }
        await tables.invitees.put(next.tenantId, link)
        await tables.bookings.update(next)
        await note(tables, next, 'confirmed', { calendly_invitee: link.uri })
        await reclaim(tables, booking, next)
        return next
      }
      case 'ambiguous':
        return suspend(tables, booking, { reason: 'answer_lost', instead: lossOf(outcome) })
      case 'not_done':
        return notSent(
          tables,
          booking,
          'calendly_unavailable',
          outcome.detail,
          execution,
          outcome.retryAfterMs
        )
      case 'refused': {
        const { refusal } = outcome
        if (refusal.reason === 'quota') {
          return notSent(
            tables,
            booking,
            'booking_quota_exhausted',
            refusal.detail,
            execution,
            refusal.retryAfterMs
          )
        }
        // "Taken" to a second POST may mean that the first one took it: look again before believing it.
        if (refusal.reason === 'already_filled' && resolutionOf(booking, now).posts > 1) {
          return suspend(tables, booking, { reason: 'taken_on_second_post' }, { isTaken: true })
        }
        return recordRejected(tables, booking, now, rejectionOf(refusal))
      }
    }
  }

  /** Calendly surely did nothing. For a caller who waits that is an answer; for an earlier, lost POST it is none. */
  async function notSent(
    tables: BookingTables,
    booking: Booking,
    code: ProblemCode,
    detail: string,
    execution?: Execution,
    retryAfterMs?: number
  ): Promise<Booking> {
    if (booking.status !== 'pending') {
      const posts = resolutionOf(booking, system.now()).posts - 1
      return suspend(tables, booking, { reason: 'not_sent_again', detail }, { posts })
    }
    await execution?.forget(tables)
    return recordRejected(tables, booking, system.now(), { code, detail, retryAfterMs })
  }

  async function suspend(
    tables: BookingTables,
    booking: Booking,
    detail: { reason: string; [more: string]: string },
    found: Partial<Resolution> = {}
  ): Promise<Booking> {
    const now = system.now()
    const isWithHuman = booking.status === 'needs_attention'
    const next = revise(booking, now, {
      status: isWithHuman ? 'needs_attention' : 'unknown',
      resolution: { ...resolutionOf(booking, now), absentSince: undefined, ...found }
    })
    await tables.bookings.update(next, isWithHuman ? undefined : lookupsMs[0])
    await note(tables, next, 'outcome_unknown', detail)
    return next
  }
}

export type Outcomes = ReturnType<typeof createOutcomes>
