import { type Booking, isUnresolved } from './booking.ts'
import { bookingFromFact, completed, confirmed, revise } from './booking-changes.ts'
import type { BookingTables, InviteeLink } from './booking-tables.ts'
import type { EventFact, InviteeFact } from './calendly.ts'
import { bookingOf, isMovedOn, linksOf } from './fact-subject.ts'
import { createId } from './ids.ts'
import { claimFact, learnSeats, note, reclaim, recordCanceled } from './recording.ts'
import type { Writer } from './reschedule-ends.ts'
import { applyWhileRescheduling } from './reschedule-facts.ts'
import { recordLeftover } from './reschedule-records.ts'
import { isLeftover, isRescheduling, type Rescheduling } from './rescheduling.ts'
import { buffersOf } from './settings.ts'
import type { System } from './system.ts'

/** How long the second half of a reschedule may take before it is looked for. */
const secondHalfMs = 60_000

export type FactSource = 'webhook' | 'reconciliation'

/**
 * Applies what Calendly reports of an invitee, whoever caused it, in any order and any number of
 * times. An invitee that was canceled or moved stays so: a late "created" revives nothing.
 */
export function createFacts({ system }: { system: System }) {
  return {
    async apply(
      tables: BookingTables,
      tenantId: string,
      invitee: InviteeFact,
      event: EventFact,
      source: FactSource
    ): Promise<void> {
      const known = await linksOf(tables, tenantId, invitee)
      const booking = await bookingOf(tables, tenantId, known, invitee, event)
      // Once more under the booking's lock: another worker may just have applied a neighbour.
      const links = booking ? await linksOf(tables, tenantId, invitee) : known
      const own = links.find(({ uri }) => uri === invitee.uri)
      if (own?.state === 'canceled' || own?.state === 'moved') return
      await learnSeats(tables, tenantId, event, system.now())
      const found = { tables, tenantId, invitee, event, source, links, own, booking }
      if (booking && isRescheduling(booking)) return applyMeanwhile(found, booking)
      if (booking && !own && isLeftover(booking, invitee, event)) {
        await recordLeftover(writerOf(found), booking, invitee, event)
        return
      }
      if (booking) await closePredecessor(found, booking)
      if (invitee.status === 'active') return applyActive(found)
      return invitee.rescheduled ? applyMovedAway(found) : applyCanceled(found)
    }
  }

  function writerOf({ tables }: Found): Writer {
    return { tables, now: system.now(), isActor: false }
  }

  /** Of a booking that we are rescheduling ourselves. */
  async function applyMeanwhile(found: Found, rescheduling: Rescheduling): Promise<void> {
    const { invitee, event } = found
    const writer = writerOf(found)
    const { booking, isDone } = await applyWhileRescheduling(writer, rescheduling, invitee, event)
    if (isDone) return
    return invitee.rescheduled ? applyMovedAway({ ...found, booking }) : applyCanceled({ ...found, booking })
  }

  type Found = {
    tables: BookingTables
    tenantId: string
    invitee: InviteeFact
    event: EventFact
    source: FactSource
    /** What is known of the invitee and of its neighbours. */
    links: readonly InviteeLink[]
    own: InviteeLink | undefined
    booking: Booking | undefined
  }

  /** Who is moved here was heard of first here: a late word of the one it was moved from must not be a booking of its own. */
  async function closePredecessor(
    { tables, tenantId, invitee, links }: Found,
    { id }: Booking
  ): Promise<void> {
    const { oldInvitee: uri } = invitee
    if (uri === undefined || links.some((link) => link.uri === uri)) return
    await tables.invitees.put(tenantId, { uri, bookingId: id, state: 'moved' })
  }

  async function applyActive(found: Found): Promise<void> {
    const { tables, tenantId, invitee, event } = found
    const before = found.booking ?? (await record(found))
    await tables.invitees.put(tenantId, { uri: invitee.uri, bookingId: before.id, state: 'active' })
    if (!found.booking) return

    const { invitee: current } = before.calendly
    // Where we have heard of none yet, what names a predecessor has been moved since.
    const isMove = current === undefined ? isMovedOn(before, invitee, event) : current !== invitee.uri
    if (isMove) {
      const moved = await move(found, before)
      await tables.claims.release(tenantId, moved.id)
      return claimFact(tables, moved)
    }
    const isKnown = before.status === 'confirmed' && before.calendly.invitee === invitee.uri
    if (isKnown) return complete(found, before)
    const after = confirmed(before, system.now(), invitee, event)
    await tables.bookings.update(after)
    await note(tables, after, 'confirmed', { calendly_invitee: invitee.uri })
    // A rejected booking has given its time back.
    if (before.status === 'rejected') await claimFact(tables, after)
    else await reclaim(tables, before, after)
  }

  /** The answer to our own booking names no room; the webhook does. */
  async function complete({ tables, event }: Found, before: Booking): Promise<void> {
    const after = completed(before, system.now(), event)
    if (after === before) return
    await tables.bookings.update(after)
    await reclaim(tables, before, after)
  }

  /** The second half of a reschedule: the booking keeps its id and goes to another time. */
  async function move({ tables, tenantId, invitee, event, links }: Found, before: Booking): Promise<Booking> {
    const now = system.now()
    for (const uri of new Set([before.calendly.invitee, invitee.oldInvitee])) {
      const isFree = !links.some((link) => link.uri === uri && link.bookingId !== before.id)
      if (uri && isFree) await tables.invitees.put(tenantId, { uri, bookingId: before.id, state: 'moved' })
    }
    const after = {
      ...confirmed(before, now, invitee, event),
      change: undefined,
      buffers: buffersOf(await tables.settings.get(tenantId, before.eventType)),
      reschedules: [...before.reschedules, { from: before.startTime, to: event.startTime, at: now }]
    }
    await tables.bookings.update(after)
    await note(tables, after, 'rescheduled', {
      from: new Date(before.startTime).toISOString(),
      to: new Date(event.startTime).toISOString(),
      calendly_invitee: invitee.uri
    })
    return after
  }

  /** The first half of a reschedule: the old time is free, the new one is still to be reported. */
  async function applyMovedAway(found: Found): Promise<void> {
    const { tables, tenantId, invitee, event } = found
    const booking = found.booking ?? (await record(found))
    await tables.invitees.put(tenantId, { uri: invitee.uri, bookingId: booking.id, state: 'moved' })
    if (invitee.newInvitee !== undefined) {
      const [successor] = await tables.invitees.find(tenantId, [invitee.newInvitee])
      if (!successor) {
        await tables.invitees.put(tenantId, {
          uri: invitee.newInvitee,
          bookingId: booking.id,
          state: 'expected'
        })
      }
    }
    if (booking.calendly.invitee !== undefined && booking.calendly.invitee !== invitee.uri) return
    const now = system.now()
    if (booking.change?.kind === 'cancel') {
      await note(tables, booking, 'cancel_failed', { detail: 'It was rescheduled first.' })
    }
    // To be moved it must have been there: an outcome that was still open is settled by that.
    const base = isUnresolved(booking) ? confirmed(booking, now, invitee, event) : revise(booking, now, {})
    const after: Booking = {
      ...base,
      change: {
        kind: 'move',
        state: 'pending',
        requestedAt: invitee.cancellation?.createdAt ?? now,
        newInvitee: invitee.newInvitee
      },
      resolution: undefined,
      calendly: { ...base.calendly, invitee: invitee.uri, event: invitee.event }
    }
    await tables.bookings.update(after, secondHalfMs)
    await note(tables, after, 'reschedule_started', { calendly_invitee: invitee.newInvitee ?? null })
    await tables.claims.release(tenantId, booking.id)
  }

  async function applyCanceled(found: Found): Promise<void> {
    const { tables, tenantId, invitee, own } = found
    const booking = found.booking ?? (await record(found))
    await tables.invitees.put(tenantId, { uri: invitee.uri, bookingId: booking.id, state: 'canceled' })
    if (booking.status === 'canceled') return
    const current = booking.calendly.invitee
    // Canceled where it was moved to, before we have heard that it was moved.
    const isNext = own?.state === 'expected' || (current !== undefined && current === invitee.oldInvitee)
    if (current !== undefined && current !== invitee.uri && !isNext) return
    const calendly = { ...booking.calendly, invitee: invitee.uri, event: invitee.event }
    const known = isNext ? await move(found, booking) : { ...booking, calendly }
    await recordCanceled(tables, known, system.now(), invitee.cancellation)
  }

  async function record({ tables, tenantId, invitee, event, source, links }: Found): Promise<Booking> {
    const id = createId('bkg', system)
    const booking = {
      ...bookingFromFact({ id, tenantId, source }, system.now(), invitee, event),
      buffers: buffersOf(await tables.settings.get(tenantId, event.eventType ?? '')),
      sessionId: await sessionIdOf(tables, tenantId, invitee)
    }
    await tables.bookings.insert(booking)
    const { oldInvitee } = invitee
    // A late word of the one it was moved from must not become a booking of its own.
    if (oldInvitee !== undefined && !links.some(({ uri }) => uri === oldInvitee)) {
      await tables.invitees.put(tenantId, { uri: oldInvitee, bookingId: id, state: 'moved' })
    }
    await note(tables, booking, 'recorded', { source, calendly_invitee: invitee.uri })
    if (invitee.status === 'active') await claimFact(tables, booking)
    return booking
  }
}

export type Facts = ReturnType<typeof createFacts>

/** Who books through one of our scheduling links is in the session that it was made for. */
async function sessionIdOf(
  { links }: BookingTables,
  tenantId: string,
  { tracking: { utmTerm } }: InviteeFact
): Promise<string | undefined> {
  return utmTerm?.startsWith('lnk_') ? (await links.find(tenantId, utmTerm))?.sessionId : undefined
}
