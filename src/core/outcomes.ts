import { type Booking, isUnresolved, type Resolution, resolutionOf } from './booking.ts'
import { confirmed, revise } from './booking-changes.ts'
import type { BookingTables, Transact } from './booking-tables.ts'
import type { EventFact, InviteeFact, InviteeOutcome, InviteeRequest, Refusal } from './calendly.ts'
import { AppError, type ProblemCode } from './errors.ts'
import type { Facts } from './facts.ts'
import type { Execution } from './idempotency.ts'
import { lockBooking, note, reclaim, recordRejected } from './recording.ts'
import type { System } from './system.ts'

/** How long a booking's own request may take before the resolver looks after it: 15 s for Calendly, and slack. */
export const submissionLeaseMs = 30_000
const writeAttempts = 3

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
      const settled = await insist(() => transact((tables) => settle(tables, booking, outcome, execution)))
      return outcome.kind === 'done' ? complete(settled, outcome.invitee) : settled
    }
  }

  /** What Calendly answered is known only here: a database that is busy for a moment must not lose it. */
  async function insist(write: () => Promise<Booking>): Promise<Booking> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await write()
      } catch (error) {
        const isAway = error instanceof AppError && error.code === 'database_unavailable'
        if (!isAway || attempt === writeAttempts) throw error
        await system.sleep(200 * attempt)
      }
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
        return suspend(tables, booking, 'answer_lost')
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
          return suspend(tables, booking, 'taken_on_second_post', { isTaken: true })
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
      return suspend(tables, booking, 'not_sent_again', { posts })
    }
    await execution?.forget(tables)
    return recordRejected(tables, booking, system.now(), { code, detail, retryAfterMs })
  }

  async function suspend(
    tables: BookingTables,
    booking: Booking,
    reason: string,
    found: Partial<Resolution> = {}
  ): Promise<Booking> {
    const now = system.now()
    const isWithHuman = booking.status === 'needs_attention'
    const next = revise(booking, now, {
      status: isWithHuman ? 'needs_attention' : 'unknown',
      resolution: { ...resolutionOf(booking, now), absentSince: undefined, ...found }
    })
    await tables.bookings.update(next, isWithHuman ? undefined : lookupsMs[0])
    await note(tables, next, 'outcome_unknown', { reason })
    return next
  }
}

export type Outcomes = ReturnType<typeof createOutcomes>

const codeOfRefusal: Readonly<Record<Refusal['reason'], ProblemCode>> = {
  already_filled: 'slot_unavailable',
  invalid_location: 'invalid_location',
  missing_answer: 'missing_answer',
  invalid_answer: 'invalid_answer',
  not_found: 'event_type_not_found',
  quota: 'booking_quota_exhausted',
  rejected: 'calendly_rejected'
}

const pointers: Readonly<Partial<Record<Refusal['reason'], string>>> = {
  invalid_location: '#/location',
  missing_answer: '#/questions_and_answers',
  invalid_answer: '#/questions_and_answers'
}

function rejectionOf({ reason, detail }: Refusal): NonNullable<Booking['rejection']> {
  return { code: codeOfRefusal[reason], detail, pointer: pointers[reason] }
}

/** Our id travels as `utm_term`, so that a lost booking can be recognised; the caller's own term stays with us. */
function requestOf(booking: Booking): InviteeRequest {
  return {
    eventType: booking.eventType,
    startTime: booking.startTime,
    invitee: { ...booking.invitee, timezone: booking.invitee.timezone ?? 'UTC' },
    location: booking.requestedLocation,
    questionsAndAnswers: booking.questionsAndAnswers,
    tracking: { ...booking.tracking, utmTerm: booking.id },
    guests: booking.guests
  }
}
