import { type Booking, isUnresolved } from './booking.ts'
import { bookingFromFact, completed, confirmed, revise } from './booking-changes.ts'
import type { BookingTables, InviteeLink } from './booking-tables.ts'
import type { EventFact, InviteeFact } from './calendly.ts'
import { createId } from './ids.ts'
import { claimFact, note, reclaim, recordCanceled } from './recording.ts'
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
      const found = { tables, tenantId, invitee, event, source, links, own, booking }
      if (invitee.status === 'active') return applyActive(found)
      return invitee.rescheduled ? applyMovedAway(found) : applyCanceled(found)
    }
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

  async function applyActive(found: Found): Promise<void> {
    const { tables, tenantId, invitee, event } = found
    const before = found.booking ?? (await record(found))
    await tables.invitees.put(tenantId, { uri: invitee.uri, bookingId: before.id, state: 'active' })
    if (!found.booking) return

    const isMove = before.calendly.invitee !== undefined && before.calendly.invitee !== invitee.uri
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
        kind: 'reschedule',
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
    const booking = bookingFromFact({ id, tenantId, source }, system.now(), invitee, event)
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

function linksOf(tables: BookingTables, tenantId: string, invitee: InviteeFact): Promise<InviteeLink[]> {
  const uris = [invitee.uri, invitee.oldInvitee, invitee.newInvitee]
  return tables.invitees.find(
    tenantId,
    uris.filter((uri) => uri !== undefined)
  )
}

/** By invitee and its neighbours in a chain of reschedules; else by our own id, which a booking of ours carries. */
async function bookingOf(
  tables: BookingTables,
  tenantId: string,
  links: readonly InviteeLink[],
  invitee: InviteeFact,
  event: EventFact
): Promise<Booking | undefined> {
  const link = links.find(({ uri }) => uri === invitee.uri) ?? links[0]
  if (link) {
    const booking = await tables.bookings.lock(tenantId, link.bookingId)
    // What goes on after our cancellation is another booking: a canceled one is never revived.
    const goesOn = booking?.status === 'canceled' && invitee.status === 'active'
    return goesOn ? undefined : booking
  }
  const term = invitee.tracking.utmTerm
  const candidate = term?.startsWith('bkg_') ? await tables.bookings.lock(tenantId, term) : undefined
  // Calendly's answer may have named its invitee while we waited for the lock.
  const isNamed = candidate?.calendly.invitee === invitee.uri
  return candidate && (isNamed || isOurs(candidate, invitee, event)) ? candidate : undefined
}

/** Anybody can write our id into a link's `utm_term`: only a booking that waits for just this answer takes it. */
export function isOurs(booking: Booking, invitee: InviteeFact, event: EventFact): boolean {
  return (
    booking.source === 'api' &&
    booking.calendly.invitee === undefined &&
    invitee.tracking.utmTerm === booking.id &&
    invitee.email.toLowerCase() === booking.invitee.email.toLowerCase() &&
    event.startTime === booking.startTime &&
    event.eventType === booking.eventType
  )
}
