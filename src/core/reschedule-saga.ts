import type { Booking } from './booking.ts'
import { completed } from './booking-changes.ts'
import type { Transact } from './booking-tables.ts'
import type { CancelOutcome, EventFact, InviteeFact, InviteeOutcome, InviteeRequest } from './calendly.ts'
import type { Facts } from './facts.ts'
import type { Execution } from './idempotency.ts'
import type { LookUp } from './look-up.ts'
import { lockBooking, reclaim } from './recording.ts'
import { createRescheduleCanceling } from './reschedule-canceling.ts'
import { createReschedulePosting } from './reschedule-posting.ts'
import { isPosting, isRescheduling, type Rescheduling } from './rescheduling.ts'
import type { System } from './system.ts'

type Deps = {
  system: System
  transact: Transact
  facts: Facts
  lookUp: LookUp
  calendly: {
    createInvitee: (request: InviteeRequest) => Promise<InviteeOutcome>
    cancelEvent: (event: string, reason?: string) => Promise<CancelOutcome>
    findEvent: (uri: string) => Promise<EventFact | undefined>
    findInvitee: (uri: string) => Promise<InviteeFact | undefined>
    dropAvailability: (eventType: string, hosts: readonly string[]) => void
  }
}

/** Carries out a reschedule that was begun, from whatever step it stands at. */
export function createRescheduleSaga(deps: Deps) {
  const { system, transact, calendly } = deps
  const posting = createReschedulePosting(deps)
  const canceling = createRescheduleCanceling(deps)

  return {
    /** As far as Calendly's answers lead; the resolver goes on from there. */
    async proceed(booking: Rescheduling, execution?: Execution): Promise<Booking> {
      const next = await (isPosting(booking.change)
        ? posting.post(booking, execution)
        : canceling.cancel(booking, execution))
      return follow(booking, next)
    },

    /** For the resolver: what became of the step that was begun? */
    async resume(booking: Rescheduling): Promise<Booking> {
      const next = await (isPosting(booking.change) ? posting.resume(booking) : canceling.resume(booking))
      return follow(booking, next)
    }
  }

  async function follow(before: Rescheduling, after: Booking): Promise<Booking> {
    let [last, next] = [before, after]
    while (isFurther(last, next)) {
      last = next
      next = await (isPosting(last.change) ? posting.post(last) : canceling.cancel(last))
    }
    return isRescheduling(next) ? next : complete(next)
  }

  /** The answer to a booking names no host, no room and no link: one more read, and dispensable. */
  async function complete(booking: Booking): Promise<Booking> {
    const { event: uri } = booking.calendly
    if (booking.location || booking.status !== 'confirmed' || uri === undefined) return booking
    try {
      const event = await calendly.findEvent(uri)
      if (!event) return booking
      return await transact(async (tables) => {
        const current = await lockBooking(tables, booking)
        if (current.version !== booking.version) return current
        const known = completed(current, system.now(), event)
        if (known === current) return current
        await tables.bookings.update(known)
        await reclaim(tables, current, known)
        return known
      })
    } catch {
      return booking
    }
  }
}

export type RescheduleSaga = ReturnType<typeof createRescheduleSaga>

function isFurther(before: Rescheduling, after: Booking): after is Rescheduling {
  return (
    isRescheduling(after) &&
    after.status === 'confirmed' &&
    after.change.requestedAt === before.change.requestedAt &&
    after.change.step !== before.change.step
  )
}
