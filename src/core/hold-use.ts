import { type Booking, type Rejection, sessionOf } from './booking.ts'
import type { BookingTables } from './booking-tables.ts'
import type { Caller } from './callers.ts'
import type { ClaimRules, Wanted } from './claiming.ts'
import { AppError } from './errors.ts'
import { assertHoldMay, type Hold } from './hold.ts'
import { recordLost } from './hold-loss.ts'
import { defaultSettings } from './settings.ts'

type Time = { eventType: string; startTime: number }
type Holder = Pick<Caller, 'tenantId' | 'name'>

const minuteMs = 60_000

/** Throws what keeps this caller from booking this time with the hold: `hold_…`. To others it does not exist. */
export function checkHold(
  hold: Hold | undefined,
  caller: Holder,
  wanted: Time
): asserts hold is Hold & { status: 'active' } {
  if (!hold || hold.caller !== caller.name) throw new AppError('hold_not_found')
  if (hold.status === 'used') throw new AppError('hold_used')
  if (hold.status === 'lost') {
    throw new AppError('hold_lost', 'Calendly reported a booking over it, or gave the time away.')
  }
  if (hold.status === 'released') throw new AppError('hold_expired', 'The hold was released.')
  if (hold.status === 'expired') throw new AppError('hold_expired')
  if (hold.eventType === wanted.eventType && hold.startTime === wanted.startTime) return
  throw new AppError('hold_mismatch', 'Book the event type and the start that the hold was made for.')
}

/**
 * Makes the hold the booking's, which is to claim its time in the same transaction with `replaces`.
 * The row stays locked until then: of two who use it one is told `hold_used`. Throws `hold_…`.
 */
export async function useHold(
  { holds }: BookingTables,
  caller: Holder,
  holdId: string,
  wanted: Time,
  bookingId: string,
  now: number
): Promise<Hold> {
  const found = await holds.lock(caller.tenantId, holdId)
  const hold: Hold | undefined =
    found?.status === 'active' && found.isExpired ? { ...found, status: 'expired' } : found
  checkHold(hold, caller, wanted)
  assertHoldMay(hold, 'used')
  await holds.setStatus(hold, 'used', now, bookingId)
  return hold
}

/** Whose time it is. What was promised with the hold stands: its hosts and buffers as they were, a seat, a place in the day. */
export function heldTime({ id, hosts, mode }: Hold): Pick<Wanted, 'hosts' | 'mode' | 'replaces'> {
  return { hosts, mode, replaces: id }
}

/** The rules for a time that is held already: it has passed them. */
export function heldRules({ buffers }: Pick<Hold, 'buffers'>): ClaimRules {
  const { beforeMs = 0, afterMs = 0 } = buffers ?? {}
  return {
    settings: {
      ...defaultSettings,
      bufferBeforeMinutes: beforeMs / minuteMs,
      bufferAfterMinutes: afterMs / minuteMs
    }
  }
}

/**
 * To be called with a rejection: as long as its time is not over the hold is its caller's again, with its claim, so that
 * they can correct what was refused. Calendly's word that the time is taken loses it.
 */
export async function giveHoldBack(
  tables: BookingTables,
  booking: Booking,
  now: number,
  { code }: Pick<Rejection, 'code'>
): Promise<void> {
  const { tenantId, id, holdId } = booking
  const hold = holdId === undefined ? undefined : await tables.holds.lock(tenantId, holdId)
  if (hold?.status !== 'used' || hold.bookingId !== id) return
  const become = async (status: 'expired' | 'active') => {
    assertHoldMay(hold, status)
    await tables.holds.setStatus(hold, status, now)
  }
  if (code === 'slot_unavailable') return recordLost(tables, hold, now)
  if (hold.isExpired) return become('expired')
  const hosts = await tables.claims.take({
    tenantId,
    ownerId: hold.id,
    session: sessionOf(hold),
    hosts: hold.hosts,
    mode: hold.mode,
    startTime: hold.startTime,
    endTime: hold.endTime,
    buffers: hold.buffers,
    expiresInMs: hold.leftMs
  })
  // Something of a fact's may lie there by now.
  return hosts ? become('active') : recordLost(tables, hold, now)
}
