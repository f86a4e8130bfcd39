import type { Booking } from './booking.ts'
import { bookingFromFact, completed, confirmed } from './booking-changes.ts'
import type { BookingTables, InviteeLink } from './booking-tables.ts'
import type { CancellationFact, EventFact, InviteeFact } from './calendly.ts'
import { type Heard, isUnheard, learnOfPast, leave, moveAway, moveTo } from './fact-moves.ts'
import { subjectOf } from './fact-subject.ts'
import { createId } from './ids.ts'
import { isOnPath, pathOf, placed } from './path.ts'
import { learnPayment } from './payment-words.ts'
import { claimFact, learnSeats, note, reclaim, recordCanceled } from './recording.ts'
import { planReading } from './refund-plan.ts'
import { presentPolicy } from './refund-policies.ts'
import type { Writer } from './reschedule-ends.ts'
import { applyWhileRescheduling } from './reschedule-facts.ts'
import { recordLeftover } from './reschedule-records.ts'
import { isLeftover, isRescheduling, type Rescheduling } from './rescheduling.ts'
import { buffersOf } from './settings.ts'
import type { System } from './system.ts'

export type FactSource = 'webhook' | 'reconciliation'

type Found = Heard & {
  source: FactSource
  own: InviteeLink | undefined
  booking: Booking | undefined
}

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
      const now = system.now()
      const subject = await subjectOf(tables, tenantId, { invitee, event, now })
      const { own } = subject
      const booking = subject.booking && (await learnPayment(tables, subject.booking, invitee, now))
      const found = { tables, tenantId, invitee, event, source, now, ...subject, booking }
      if (own?.state === 'canceled' || own?.state === 'moved') {
        if (booking && isUnheard(booking, invitee)) await learnOfPast(found, booking)
        return
      }
      await learnSeats(tables, tenantId, event, now)
      if (!booking) return applyAt(found, await record(found))
      if (isRescheduling(booking)) return applyMeanwhile(found, booking)
      if (!own && isLeftover(booking, invitee, event)) {
        await recordLeftover(writerOf(found), booking, invitee, event)
        return
      }
      return applyTo(found, booking)
    }
  }

  /** Of a booking that we are rescheduling ourselves. */
  async function applyMeanwhile(found: Found, rescheduling: Rescheduling): Promise<void> {
    const { invitee, event } = found
    const writer = writerOf(found)
    const { booking, isDone } = await applyWhileRescheduling(writer, rescheduling, invitee, event)
    if (!isDone) await applyTo(found, booking)
  }

  async function applyTo(found: Found, booking: Booking): Promise<void> {
    switch (whereOf(found, booking)) {
      case 'elsewhere':
        return link(found, booking, found.invitee.status === 'active' ? 'active' : 'canceled')
      case 'before':
        await learnOfPast(found, booking)
        return link(found, booking, 'moved')
      case 'further':
        return applyMove(found, booking)
      case 'here':
        await leave(found, booking, found.invitee.oldInvitee)
        return found.invitee.status === 'active' ? applyActive(found, booking) : applyAt(found, booking)
    }
  }

  async function applyMove(found: Found, before: Booking): Promise<void> {
    const { tables, tenantId, invitee } = found
    const moved = await moveTo(found, before)
    await tables.claims.release(tenantId, moved.id)
    if (invitee.status === 'active') await claimFact(tables, moved)
    return applyAt(found, moved)
  }

  /** The booking stands where the fact has it. */
  async function applyAt(found: Found, booking: Booking): Promise<void> {
    const { tables, now, invitee } = found
    if (invitee.status === 'active') return link(found, booking, 'active')
    if (invitee.rescheduled) return moveAway(found, booking)
    await link(found, booking, 'canceled')
    if (booking.status === 'canceled') return
    const calendly = { ...booking.calendly, invitee: invitee.uri, event: invitee.event }
    await recordCanceled(tables, { ...booking, calendly }, now, cancellationIn(found))
  }

  async function applyActive(found: Found, before: Booking): Promise<void> {
    const { tables, invitee, event, now } = found
    await link(found, before, 'active')
    if (before.status === 'confirmed' && before.calendly.invitee !== undefined) return complete(found, before)
    const after = confirmed(before, now, invitee, event)
    await tables.bookings.update(after)
    await note(tables, after, 'confirmed', { calendly_invitee: invitee.uri })
    // A rejected booking has given its time back.
    if (before.status === 'rejected') await claimFact(tables, after)
    else await reclaim(tables, before, after)
  }

  /** The answer to our own booking names no room; the webhook does. */
  async function complete({ tables, event, now }: Found, before: Booking): Promise<void> {
    const after = completed(before, now, event)
    if (after === before) return
    await tables.bookings.update(after)
    await reclaim(tables, before, after)
  }

  async function record(found: Found): Promise<Booking> {
    const { tables, tenantId, invitee, event, source, now } = found
    const id = createId('bkg', system)
    const path = placed([], invitee, event.startTime)
    const booking = {
      ...bookingFromFact({ id, tenantId, source }, now, invitee, event),
      buffers: buffersOf(await tables.settings.get(tenantId, event.eventType ?? '')),
      refundPolicy: await presentPolicy(tables, tenantId, event.eventType ?? ''),
      sessionId: await sessionIdOf(tables, tenantId, invitee),
      ...(path.length > 1 && { path })
    }
    await tables.bookings.insert(booking)
    await leave(found, booking, invitee.oldInvitee)
    // Of one that was canceled before it was heard of, its end is all there is to tell.
    const isOver = invitee.status === 'canceled' && !invitee.rescheduled
    const detail = { source, calendly_invitee: invitee.uri }
    await note(tables, booking, 'recorded', detail, isOver ? null : 'booking.confirmed')
    await planReading(tables, booking)
    if (invitee.status === 'active') await claimFact(tables, booking)
    return booking
  }
}

export type Facts = ReturnType<typeof createFacts>

function writerOf({ tables, now }: Found): Writer {
  return { tables, now, isActor: false }
}

function link(
  { tables, tenantId, invitee: { uri } }: Found,
  { id }: Booking,
  state: InviteeLink['state']
): Promise<void> {
  return tables.invitees.put(tenantId, { uri, bookingId: id, state })
}

/** Where nobody says when it was canceled, it was at its last change and not when we heard of it. */
function cancellationIn({ invitee, event }: Found): CancellationFact {
  const { createdAt = event.cancellation?.createdAt ?? invitee.updatedAt } = invitee.cancellation ?? {}
  return { ...invitee.cancellation, createdAt }
}

/** Where a fact's invitee lies, seen from where its booking is. `elsewhere`: it is no place of it. */
function whereOf(
  { invitee, own, event }: Found,
  booking: Booking
): 'before' | 'here' | 'further' | 'elsewhere' {
  const path = pathOf(booking)
  const { invitee: present } = booking.calendly
  const neighbours = [invitee.uri, invitee.oldInvitee, invitee.newInvitee]
  const isNamed = present === undefined || own === undefined || own.state === 'expected'
  if (!isNamed && !neighbours.some((uri) => isOnPath(path, uri))) return 'elsewhere'
  const along = placed(path, invitee, event.startTime)
  const at = along.findIndex(({ invitee: uri }) => uri === invitee.uri)
  const is = along.findIndex(({ invitee: uri }) => uri === present)
  if (at === is) return 'here'
  // Its answer was lost, and this is what it became.
  if (is === -1 && present === undefined) return 'here'
  return at < is ? 'before' : 'further'
}

/** Who books through one of our scheduling links is in the session that it was made for. */
async function sessionIdOf(
  { links }: BookingTables,
  tenantId: string,
  { tracking: { utmTerm } }: InviteeFact
): Promise<string | undefined> {
  return utmTerm?.startsWith('lnk_') ? (await links.find(tenantId, utmTerm))?.sessionId : undefined
}
