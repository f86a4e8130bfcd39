import { type AuditTables, actorOf } from './audit.ts'
import type { Booking } from './booking.ts'
import { revise } from './booking-changes.ts'
import type { BookingReads, BookingTables } from './booking-tables.ts'
import type { EventFact, InviteeFact } from './calendly.ts'
import type { Caller } from './callers.ts'
import { AppError } from './errors.ts'
import type { Facts } from './facts.ts'
import type { Execution } from './idempotency.ts'
import { formatInstant } from './instants.ts'
import type { LookUp, Seen } from './look-up.ts'
import { claimFact, lockBooking, note, recordRejected } from './recording.ts'
import type { System } from './system.ts'

export type ResolveRequest = {
  outcome: 'confirmed' | 'rejected'
  /** URI of the invitee that it became; looked for without it. */
  invitee?: string | undefined
}

type Tables = BookingTables & AuditTables

type Deps = {
  system: Pick<System, 'now'>
  transact: <T>(work: (tables: Tables) => Promise<T>) => Promise<T>
  reads: Pick<BookingReads, 'find'>
  facts: Facts
  lookUp: Pick<LookUp, 'find'>
  calendly: {
    findInvitee: (uri: string) => Promise<InviteeFact | undefined>
    findEvent: (uri: string) => Promise<EventFact | undefined>
    dropAvailability: (eventType: string, hosts: readonly string[]) => void
  }
}

/** A human's word on a booking that could not be settled without one. */
export function createBookingResolve({ system, transact, reads, facts, lookUp, calendly }: Deps) {
  return {
    /**
     * The booking as it then stands; the same word once more changes nothing. Throws `not_resolvable` where it
     * needs nobody, `validation_failed` where Calendly does not bear out a confirmation.
     */
    async resolve(
      caller: Caller,
      id: string,
      request: ResolveRequest,
      execution: Execution
    ): Promise<Booking> {
      const booking = await reads.find(caller.tenantId, id)
      if (!booking) throw new AppError('booking_not_found')
      if (booking.status !== 'needs_attention') return settledAs(booking, request)
      const seen = request.outcome === 'confirmed' ? await findSeen(booking, request.invitee) : undefined
      if (request.outcome === 'rejected') await refuseActive(booking)
      const after = await transact(async (tables) => {
        const current = await lockBooking(tables, booking)
        await execution.begin(tables, id)
        if (current.status !== 'needs_attention') return settledAs(current, request)
        const settled = seen ? await confirm(tables, current, seen) : await reject(tables, current)
        await leaveTrace(tables, caller, { before: current, after: settled }, request)
        return settled
      })
      const hosts = [...booking.hosts, ...after.hosts].map(({ user }) => user)
      calendly.dropAvailability(after.eventType, [...new Set(hosts)])
      return after
    }
  }

  /** What Calendly was seen to have must be canceled there first, or somebody would come to it. */
  async function refuseActive({ calendly: old, change }: Booking): Promise<void> {
    const known = [old, ...(change?.kind === 'reschedule' ? [change.successor] : [])]
    for (const uri of new Set(known.map((references) => references?.invitee))) {
      const invitee = uri === undefined ? undefined : await calendly.findInvitee(uri)
      if (invitee?.status !== 'active') continue
      if ((await calendly.findEvent(invitee.event))?.status !== 'active') continue
      const ways = 'Cancel it there first, or resolve the booking as confirmed with it.'
      throw new AppError('not_resolvable', `Calendly has ${uri}, which is active. ${ways}`)
    }
  }

  async function findSeen(booking: Booking, named: string | undefined): Promise<Seen> {
    if (named === undefined) return search(booking)
    const invitee = await calendly.findInvitee(named)
    const event = invitee && (await calendly.findEvent(invitee.event))
    if (!invitee || !event) throw unfit('Calendly knows no such invitee.')
    if (event.eventType !== booking.eventType) throw unfit('It is of another event type.')
    if (!hasSameEmail(invitee, booking)) throw unfit('It has another e-mail address.')
    if (invitee.status !== 'active' || event.status !== 'active') {
      throw unfit('It is canceled: resolve the booking as rejected.')
    }
    return { invitee, event }
  }

  /** By our id, which Calendly was sent with the booking. */
  async function search(booking: Booking): Promise<Seen> {
    const isTheirs = (invitee: InviteeFact) => invitee.status === 'active' && hasSameEmail(invitee, booking)
    const looks = await Promise.all(
      timesOf(booking).map((startTime) => lookUp.find(booking, startTime, isTheirs))
    )
    if (looks.includes(undefined)) throw new AppError('calendly_unavailable')
    const found = looks.flatMap((seen) => seen ?? [])
    const [one, another] = found.filter(({ invitee }) => invitee.tracking.utmTerm === booking.id)
    if (one && !another) return one
    const candidates = found.map(({ invitee }) => invitee.uri).join(', ')
    const hint = candidates === '' ? 'nothing of this person at this time' : candidates
    throw unfit(`Name it, since a search does not decide. It found ${hint}.`)
  }

  /** What a human names is ours, whatever tracking it carries and whatever was believed of it. */
  async function confirm(tables: Tables, booking: Booking, { invitee, event }: Seen): Promise<Booking> {
    const { tenantId, id } = booking
    const [link] = await tables.invitees.find(tenantId, [invitee.uri])
    if (link && link.bookingId !== id) throw unfit(`It belongs to ${link.bookingId}.`)
    await tables.invitees.put(tenantId, { uri: invitee.uri, bookingId: id, state: 'expected' })
    await endReschedule(tables, booking, invitee.uri)
    await facts.apply(tables, tenantId, invitee, event, 'reconciliation')
    const after = await lockBooking(tables, booking)
    if (booking.change) {
      // Of two times at most one is kept, and it may have been given back already.
      await tables.claims.release(tenantId, id)
      await claimFact(tables, after)
    }
    return after
  }

  /** It is decided: the other of its two events, should Calendly speak of it again, is not the booking's any more. */
  async function endReschedule(tables: Tables, booking: Booking, chosen: string): Promise<void> {
    const { tenantId, id, change } = booking
    if (change?.kind !== 'reschedule') return
    await tables.bookings.update(revise(booking, system.now(), { change: undefined }))
    for (const uri of [booking.calendly.invitee, change.successor?.invitee]) {
      if (uri === undefined || uri === chosen) continue
      await tables.invitees.put(tenantId, { uri, bookingId: id, state: 'moved' })
    }
  }

  async function reject(tables: Tables, booking: Booking): Promise<Booking> {
    const detail = 'Somebody looked into it: Calendly has no such booking.'
    const settled = { ...booking, change: undefined }
    return recordRejected(tables, settled, system.now(), { code: 'calendly_rejected', detail })
  }

  async function leaveTrace(
    tables: Tables,
    caller: Caller,
    { before, after }: { before: Booking; after: Booking },
    { outcome }: ResolveRequest
  ): Promise<void> {
    const detail = {
      outcome,
      calendly_invitee: outcome === 'confirmed' ? (after.calendly.invitee ?? null) : null,
      ...(after.startTime !== before.startTime && { asked_start_time: formatInstant(before.startTime) })
    }
    const actor = actorOf(caller)
    await note(tables, after, 'resolved', { ...detail, by: actor })
    await tables.audit.add({
      tenantId: after.tenantId,
      at: after.updatedAt,
      actor,
      action: 'booking.resolved',
      subject: after.id,
      detail
    })
  }
}

export type BookingResolve = ReturnType<typeof createBookingResolve>

/** Where it may be: in a reschedule that was cut short, at the old or at the new time. */
function timesOf({ startTime, change }: Booking): number[] {
  return change?.kind === 'reschedule' ? [startTime, change.to.startTime] : [startTime]
}

function settledAs(booking: Booking, { outcome, invitee }: ResolveRequest): Booking {
  const isSame = invitee === undefined || invitee === booking.calendly.invitee
  if (booking.status === outcome && isSame) return booking
  throw new AppError('not_resolvable', `It is ${booking.status}.`)
}

function hasSameEmail(invitee: InviteeFact, booking: Booking): boolean {
  return invitee.email.toLowerCase() === booking.invitee.email.toLowerCase()
}

function unfit(detail: string): AppError {
  return new AppError('validation_failed', `calendly_invitee: ${detail}`, {
    faults: [{ pointer: '#/calendly_invitee', detail }]
  })
}
