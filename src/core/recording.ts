import { type Booking, sessionOf } from './booking.ts'
import { canceled, revise } from './booking-changes.ts'
import type { BookingTables, ClaimInTheWay } from './booking-tables.ts'
import type { CancellationFact, EventFact } from './calendly.ts'
import { giveHoldBack } from './hold-use.ts'
import { formatInstant } from './instants.ts'
import { loseHold, takeAnyway } from './making-way.ts'
import type { NewsType } from './news-types.ts'
import { planRefund } from './refund-plan.ts'
import { buffersOf } from './settings.ts'

/** The booking as it is now, locked until the transaction ends. */
export async function lockBooking(
  { bookings }: BookingTables,
  { tenantId, id }: Pick<Booking, 'tenantId' | 'id'>
): Promise<Booking> {
  const booking = await bookings.lock(tenantId, id)
  if (!booking) throw new Error(`${id} has vanished`)
  return booking
}

/** What other services are told of, by the entry of the timeline that says so to us. */
const news: Readonly<Record<string, NewsType>> = {
  recorded: 'booking.confirmed',
  confirmed: 'booking.confirmed',
  rejected: 'booking.rejected',
  canceled: 'booking.canceled',
  rescheduled: 'booking.rescheduled',
  merged_into: 'booking.merged',
  no_show_marked: 'booking.no_show',
  no_show_removed: 'booking.no_show_removed',
  needs_attention: 'booking.needs_attention'
}

/** An entry of the booking's timeline, at its last change, and the event that tells other services of it, if any. */
export async function note(
  { timeline, events }: BookingTables,
  booking: Booking,
  type: string,
  detail: Readonly<Record<string, unknown>> = {},
  told: NewsType | null = news[type] ?? null
): Promise<void> {
  const { tenantId, id, updatedAt: at } = booking
  await timeline.add(booking, { at, type, detail })
  if (told) await events.add({ tenantId, type: told, subject: id, at, data: { booking } })
}

/** Every move that was not known before is told of once, whenever it is learned of. */
export async function announceMoves(tables: BookingTables, before: Booking, after: Booking): Promise<void> {
  for (const { invitee, from, to } of after.reschedules) {
    if (invitee === undefined || before.reschedules.some((move) => move.invitee === invitee)) continue
    const [told, moved] = [formatInstant(from), formatInstant(to)]
    await note(tables, after, 'rescheduled', { from: told, to: moved, calendly_invitee: invitee })
  }
}

/** Rejected: the time is given back, and so is the hold that it was booked with. */
export async function recordRejected(
  tables: BookingTables,
  booking: Booking,
  now: number,
  rejection: NonNullable<Booking['rejection']>
): Promise<Booking> {
  const next = revise(booking, now, {
    status: 'rejected',
    rejection,
    change: undefined,
    resolution: undefined
  })
  await tables.bookings.update(next)
  await note(tables, next, 'rejected', { code: rejection.code, detail: rejection.detail })
  await tables.claims.release(next.tenantId, next.id)
  await giveHoldBack(tables, next, now, rejection)
  return next
}

/** Canceled: the time is given back, its money is to be decided on, and a late word of its invitee revives nothing. */
export async function recordCanceled(
  tables: BookingTables,
  booking: Booking,
  now: number,
  fact: CancellationFact | undefined
): Promise<Booking> {
  const next = canceled(booking, now, fact)
  await tables.bookings.update(next)
  await note(tables, next, 'canceled', { canceler_type: next.cancellation?.cancelerType ?? null })
  if (next.calendly.invitee !== undefined) {
    const link = { uri: next.calendly.invitee, bookingId: next.id, state: 'canceled' as const }
    await tables.invitees.put(next.tenantId, link)
  }
  await tables.claims.release(next.tenantId, next.id)
  await planRefund(tables, next)
  return next
}

/**
 * Moves a booking's claim to the time and hosts it turned out to have. Nobody is refused: Calendly's word is a fact.
 * While Calendly has not named the hosts of a pool, any of them will do.
 */
export async function reclaim(tables: BookingTables, before: Booking, after: Booking): Promise<void> {
  const isMoved = before.startTime !== after.startTime || before.endTime !== after.endTime
  // The same list, not one like it: nothing was said of the hosts.
  if (!isMoved && before.hosts === after.hosts) return
  if (!isMoved && (await isSettled(tables, before, after))) return
  await claimFact(tables, after, before.startTime)
}

/** Whether its claim lies already where Calendly has put it, or is known not to. */
async function isSettled({ claims }: BookingTables, before: Booking, after: Booking): Promise<boolean> {
  const { tenantId, id, startTime } = after
  const own = await claims.own(tenantId, id, startTime)
  const claimed = own.map(({ host }) => host)
  const hosts = hostsOf(after)
  if (own.some(({ isPool }) => isPool)) {
    return isSame(claimed, hosts) && claims.settle(tenantId, id, startTime)
  }
  // Until its hosts are named it may have made way for what Calendly reported.
  const isFirstWord = before.hosts.every(({ name }) => name === undefined)
  const isWhole = hosts.every((host) => claimed.includes(host))
  return isSame(hostsOf(before), hosts) && (isWhole || !isFirstWord)
}

/**
 * Claims a fact's time and notes in the timeline over which bookings it lies. `replaced`: start of the appointment
 * whose claims it gives back.
 */
export async function claimFact(tables: BookingTables, booking: Booking, replaced?: number): Promise<void> {
  const { tenantId, id, startTime, endTime, updatedAt } = booking
  const session = sessionOf(booking)
  const seats = booking.isGroup ? await tables.sessions.lockKnown(tenantId, session) : undefined
  const buffers = booking.buffers ?? buffersOf(await tables.settings.get(tenantId, booking.eventType))
  const fact = { tenantId, ownerId: id, session, hosts: hostsOf(booking), startTime, endTime, buffers }
  const others = await takeAnyway(tables, fact, updatedAt, replaced)
  if (others.length > 0) await noteOverlap(tables, booking, others)
  if (seats !== undefined) await loseHoldsBeyond(tables, { tenantId, session, seats }, updatedAt)
}

/** To be called with every fact of a group event: its counter says how many seats the session has. */
export async function learnSeats(
  tables: BookingTables,
  tenantId: string,
  { eventType, status, startTime, endTime, inviteesCounter }: EventFact,
  now: number
): Promise<void> {
  const seats = inviteesCounter.limit
  // Where the counter could not be read, one is all that is known.
  if (eventType === undefined || status !== 'active' || seats <= 1) return
  const session = sessionOf({ id: '', isGroup: true, eventType, startTime })
  const isNews = await tables.sessions.put({ tenantId, session, seats, endsAt: endTime })
  if (isNews) await loseHoldsBeyond(tables, { tenantId, session, seats }, now)
}

/** The newest ones, as many as have no seat. */
async function loseHoldsBeyond(
  tables: BookingTables,
  { tenantId, session, seats }: { tenantId: string; session: string; seats: number },
  at: number
): Promise<void> {
  const owners = await tables.claims.ownersOf(tenantId, session)
  const holds = owners.filter(({ isHold }) => isHold)
  const surplus = Math.max(0, owners.length - seats)
  for (const { ownerId } of holds.toReversed().slice(0, surplus))
    await loseHold(tables, tenantId, ownerId, at)
}

/** Only buffers that meet are not what anybody would call a double booking. */
async function noteOverlap(
  tables: BookingTables,
  booking: Booking,
  others: readonly ClaimInTheWay[]
): Promise<void> {
  const { startTime, endTime } = booking
  const double = others.filter((other) => other.startTime < endTime && startTime < other.endTime)
  const type = double.length > 0 ? 'overlap_found' : 'buffer_not_kept'
  const met = double.length > 0 ? double : others
  await note(tables, booking, type, { bookings: [...new Set(met.map(({ ownerId }) => ownerId))] })
}

const hostsOf = ({ hosts }: Pick<Booking, 'hosts'>) => hosts.map(({ user }) => user)

const isSame = (some: readonly string[], others: readonly string[]) =>
  some.length === others.length && some.every((one) => others.includes(one))
