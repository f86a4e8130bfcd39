import { type Booking, isSought, resolutionOf } from './booking.ts'
import { revise } from './booking-changes.ts'
import type { BookingTables, Transact } from './booking-tables.ts'
import type { EventFact, InviteeFact } from './calendly.ts'
import type { Cancellations } from './cancellations.ts'
import { type Facts, isOurs } from './facts.ts'
import type { Outcomes } from './outcomes.ts'
import { lockBooking, note, recordRejected } from './recording.ts'
import type { System } from './system.ts'

const leaseMs = 30_000
/** The first POST and, after a proven absence, one more. */
const mostPosts = 2

type Deps = {
  system: System
  transact: Transact
  outcomes: Outcomes
  cancellations: Cancellations
  facts: Facts
  calendly: {
    listEvents: (query: {
      inviteeEmail: string
      minStartTime: number
      maxStartTime: number
    }) => Promise<readonly EventFact[]>
    listInvitees: (event: string) => Promise<readonly InviteeFact[]>
    findInvitee: (uri: string) => Promise<InviteeFact | undefined>
    findEvent: (uri: string) => Promise<EventFact | undefined>
  }
  schedule: {
    lookupsMs: readonly number[]
    /** Two reads at least this far apart prove an absence. */
    absenceMs: number
    /** After this long a human is asked. */
    attentionMs: number
  }
}

type Seen = { invitee: InviteeFact; event: EventFact }

/** Finds out what became of bookings and changes whose answers were lost, or whose process died. */
export function createResolution(deps: Deps) {
  const { system, transact, outcomes, cancellations, facts, calendly, schedule } = deps

  return {
    /** Takes one that is due; false when there is none. */
    async resolveNext(): Promise<boolean> {
      const booking = await transact(({ bookings }) => bookings.takeUnresolved(leaseMs))
      if (!booking) return false
      const { change } = booking
      if (change?.kind === 'cancel') await cancellations.resume(booking, change)
      else if (change) await followMove(booking, change.newInvitee)
      else if (isSought(booking)) await resolveBooking(booking)
      return true
    }
  }

  async function resolveBooking(booking: Booking): Promise<void> {
    const found = await lookUp(booking).catch(() => 'unreadable' as const)
    if (typeof found === 'object') return apply(booking, found)

    const now = system.now()
    const before = resolutionOf(booking, now)
    const absentSince = before.absentSince ?? (found === 'unreadable' ? undefined : now)
    const resolution = { ...before, absentSince, lookups: before.lookups + 1 }
    const isAbsent =
      found !== 'unreadable' &&
      before.absentSince !== undefined &&
      now - before.absentSince >= schedule.absenceMs

    if (isAbsent && before.isTaken) return rejectTaken(booking)
    if (isAbsent && before.posts < mostPosts && booking.startTime > now) return postAgain(booking)
    if (now - before.since >= schedule.attentionMs) return askHuman(booking)
    await transact(async (tables) => {
      const current = await lockUnchanged(tables, booking)
      if (!current) return
      const next = revise(current, now, { status: 'unknown', resolution })
      await tables.bookings.update(next, nextLookUpMs(resolution))
      await note(tables, next, 'looked_up', { found: found === 'unreadable' ? null : false })
    })
  }

  /** By e-mail and the exact start, then by event type and our id. */
  async function lookUp(booking: Booking): Promise<Seen | undefined> {
    const events = await calendly.listEvents({
      inviteeEmail: booking.invitee.email,
      // Whether Calendly counts the bounds in is not documented.
      minStartTime: booking.startTime - 60_000,
      maxStartTime: booking.startTime + 60_000
    })
    for (const event of events) {
      if (event.startTime !== booking.startTime || event.eventType !== booking.eventType) continue
      const invitees = await calendly.listInvitees(event.uri)
      const invitee = invitees.find((candidate) => isOurs(booking, candidate, event))
      if (invitee) return { invitee, event }
    }
    return undefined
  }

  /** The second half of a reschedule has not been reported: reads where the invitee went. */
  async function followMove(booking: Booking, named: string | undefined): Promise<void> {
    const next = named ?? (await calendly.findInvitee(booking.calendly.invitee ?? ''))?.newInvitee
    const invitee = next === undefined ? undefined : await calendly.findInvitee(next)
    const event = invitee && (await calendly.findEvent(invitee.event))
    if (invitee && event) return apply(booking, { invitee, event })

    await transact(async (tables) => {
      const current = await lockUnchanged(tables, booking)
      if (!current) return
      const now = system.now()
      const resolution = resolutionOf(current, now)
      const counted = { ...resolution, lookups: resolution.lookups + 1 }
      await tables.bookings.update(revise(current, now, { resolution: counted }), nextLookUpMs(counted))
    })
  }

  async function apply({ tenantId }: Booking, { invitee, event }: Seen): Promise<void> {
    await transact((tables) => facts.apply(tables, tenantId, invitee, event, 'reconciliation'))
  }

  function nextLookUpMs({ lookups }: { lookups: number }): number {
    const { lookupsMs, absenceMs } = schedule
    const planned = lookupsMs[Math.min(lookups, lookupsMs.length - 1)] ?? absenceMs
    // The second look is what proves an absence: no sooner than it can, and not much later.
    return lookups === 1 ? Math.max(planned, absenceMs) : planned
  }

  async function postAgain(booking: Booking): Promise<void> {
    const again = await transact(async (tables) => {
      const current = await lockUnchanged(tables, booking)
      if (!current) return undefined
      const now = system.now()
      const before = resolutionOf(current, now)
      const resolution = { ...before, absentSince: undefined, lookups: 0, posts: before.posts + 1 }
      const next = revise(current, now, { status: 'unknown', resolution })
      await tables.bookings.update(next, leaseMs)
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

  async function askHuman(booking: Booking): Promise<void> {
    await transact(async (tables) => {
      const current = await lockUnchanged(tables, booking)
      if (!current) return
      const next = revise(current, system.now(), { status: 'needs_attention' })
      await tables.bookings.update(next)
      await note(tables, next, 'needs_attention', { reason: 'outcome_unknown' })
    })
  }

  /** Only what is still as it was when it was looked at may be acted upon: a slow look outlives its lease. */
  async function lockUnchanged(tables: BookingTables, seen: Booking): Promise<Booking | undefined> {
    const booking = await lockBooking(tables, seen)
    return booking.version === seen.version ? booking : undefined
  }
}

export type BookingResolution = ReturnType<typeof createResolution>
