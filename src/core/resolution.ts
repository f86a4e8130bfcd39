import { type Booking, isSought, resolutionOf } from './booking.ts'
import { revise } from './booking-changes.ts'
import type { BookingTables, Transact } from './booking-tables.ts'
import type { EventFact, InviteeFact } from './calendly.ts'
import type { Cancellations } from './cancellations.ts'
import { isOurs } from './fact-subject.ts'
import type { Facts } from './facts.ts'
import { formatInstant } from './instants.ts'
import { type LookUp, postedAgain, type Seen } from './look-up.ts'
import type { Outcomes } from './outcomes.ts'
import { lockBooking, note, recordRejected } from './recording.ts'
import type { RescheduleSaga } from './reschedule-saga.ts'
import { isRescheduling } from './rescheduling.ts'
import { submissionLeaseMs } from './submission.ts'
import type { System } from './system.ts'

type Deps = {
  system: System
  transact: Transact
  outcomes: Outcomes
  cancellations: Pick<Cancellations, 'resume'>
  rescheduling: Pick<RescheduleSaga, 'resume'>
  facts: Facts
  lookUp: LookUp
  calendly: {
    findInvitee: (uri: string) => Promise<InviteeFact | undefined>
    findEvent: (uri: string) => Promise<EventFact | undefined>
  }
}

/** Finds out what became of bookings and changes whose answers were lost, or whose process died. */
export function createResolution(deps: Deps) {
  const { system, transact, outcomes, cancellations, rescheduling, facts, lookUp, calendly } = deps

  return {
    /** Takes one that is due; false when there is none. */
    async resolveNext(): Promise<boolean> {
      const booking = await transact(({ bookings }) => bookings.takeUnresolved(submissionLeaseMs))
      if (!booking) return false
      const { change } = booking
      if (change?.kind === 'cancel') await cancellations.resume(booking, change)
      else if (change?.kind === 'move') await followMove(booking, change.newInvitee)
      else if (isRescheduling(booking)) await rescheduling.resume(booking)
      else if (isSought(booking)) await resolveBooking(booking)
      return true
    }
  }

  async function resolveBooking(booking: Booking): Promise<void> {
    const found = await lookUp.find(booking, booking.startTime, (...seen) => isOurs(booking, ...seen))
    const [seen] = found ?? []
    if (seen && (await apply(booking, seen))) return

    const now = system.now()
    // What was found and says nothing new is no absence: it must not be sent again.
    const isReadable = found !== undefined && !seen
    const before = resolutionOf(booking, now)
    const { kind, resolution } = lookUp.judge(before, isReadable, booking.startTime, now)
    if (kind === 'taken') return rejectTaken(booking)
    if (kind === 'post') return postAgain(booking)
    if (kind !== 'wait') return askHuman(booking, isReadable)
    await transact(async (tables) => {
      const current = await lockUnchanged(tables, booking)
      if (!current) return
      const next = revise(current, now, { status: 'unknown', resolution })
      await tables.bookings.update(next, lookUp.nextMs(resolution, now))
      await note(tables, next, 'looked_up', { found: isReadable ? false : null })
    })
  }

  /** The second half of a reschedule has not been reported: reads where the invitee went. */
  async function followMove(booking: Booking, named: string | undefined): Promise<void> {
    const next = named ?? (await calendly.findInvitee(booking.calendly.invitee ?? ''))?.newInvitee
    const invitee = next === undefined ? undefined : await calendly.findInvitee(next)
    const event = invitee && (await calendly.findEvent(invitee.event))
    if (invitee && event && (await apply(booking, { invitee, event }))) return

    await transact(async (tables) => {
      const current = await lockUnchanged(tables, booking)
      if (!current) return
      const now = system.now()
      const resolution = resolutionOf(current, now)
      const counted = { ...resolution, lookups: resolution.lookups + 1 }
      if (!lookUp.isOverdue(resolution, now)) {
        await tables.bookings.update(
          revise(current, now, { resolution: counted }),
          lookUp.nextMs(counted, now)
        )
        return
      }
      const next = revise(current, now, { status: 'needs_attention', resolution: counted })
      await tables.bookings.update(next)
      await note(tables, next, 'needs_attention', {
        reason: 'second_half_missing',
        since: formatInstant(resolution.since),
        new_invitee: named ?? null,
        check: 'Look in Calendly for where this person went, then resolve the booking.'
      })
    })
  }

  /** Whether anything came of it. */
  async function apply(booking: Booking, { invitee, event }: Seen): Promise<boolean> {
    return transact(async (tables) => {
      await facts.apply(tables, booking.tenantId, invitee, event, 'reconciliation')
      const { version } = await lockBooking(tables, booking)
      return version !== booking.version
    })
  }

  async function postAgain(booking: Booking): Promise<void> {
    const again = await transact(async (tables) => {
      const current = await lockUnchanged(tables, booking)
      if (!current) return undefined
      const now = system.now()
      const resolution = postedAgain(resolutionOf(current, now))
      const next = revise(current, now, { status: 'unknown', resolution })
      await tables.bookings.update(next, submissionLeaseMs)
      await note(tables, next, 'looked_up', { found: false })
      await note(tables, next, 'submitted_again')
      return next
    })
    if (again) await outcomes.submit(again)
  }

  async function rejectTaken(booking: Booking): Promise<void> {
    const detail = 'Calendly gave the time to somebody else.'
    await transact(async (tables) => {
      const current = await lockUnchanged(tables, booking)
      if (current) await recordRejected(tables, current, system.now(), { code: 'slot_unavailable', detail })
    })
  }

  async function askHuman(booking: Booking, isReadable: boolean): Promise<void> {
    await transact(async (tables) => {
      const current = await lockUnchanged(tables, booking)
      if (!current) return
      const now = system.now()
      const { since, posts, lookups, isTaken = false } = resolutionOf(current, now)
      const next = revise(current, now, { status: 'needs_attention' })
      await tables.bookings.update(next)
      await note(tables, next, 'needs_attention', {
        reason: 'outcome_unknown',
        since: formatInstant(since),
        posts,
        lookups: lookups + 1,
        last_look: isReadable ? 'found_nothing' : 'unreadable',
        called_taken: isTaken,
        event_type: current.eventType,
        start_time: formatInstant(current.startTime),
        check: 'Look in Calendly for this time, person and event type, then resolve the booking.'
      })
    })
  }

  /** Only what is still as it was when it was looked at may be acted upon: a slow look outlives its lease. */
  async function lockUnchanged(tables: BookingTables, seen: Booking): Promise<Booking | undefined> {
    const booking = await lockBooking(tables, seen)
    return booking.version === seen.version ? booking : undefined
  }
}

export type BookingResolution = ReturnType<typeof createResolution>
