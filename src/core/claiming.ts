import { sessionOf } from './booking.ts'
import type { BookingTables } from './booking-tables.ts'
import { buffersOf, type EventTypeSettings } from './settings.ts'

/** What a hold, a booking or a reschedule wants to take. */
export type Wanted = {
  tenantId: string
  ownerId: string
  eventType: string
  isGroup: boolean
  hosts: readonly string[]
  mode: 'all' | 'any'
  startTime: number
  endTime: number
  expiresInMs?: number | undefined
  /** The owner whose claims it takes over: the hold that is used, the booking that moves. */
  replaces?: string | undefined
}

/** Read before the transaction: what is asked of a time beyond being free. */
export type ClaimRules = {
  settings: EventTypeSettings
  /** The day of the start in the owner's zone; only where `maxPerDay` is set. */
  day?: { startsAt: number; endsAt: number } | undefined
  /** Of a group session: what a fresh read of Calendly left, or its event's limit. */
  seats?: { remaining?: number | undefined; limit?: number | undefined } | undefined
}

export type Taken = { kind: 'taken'; hosts: readonly string[] } | { kind: 'claimed' | 'max_per_day' | 'full' }

/**
 * Takes the time inside a transaction, or says what stands in the way; then the transaction is to be rolled back.
 * The last thing done in it, since from here on others wait for its end. Everybody queues in the same order: at the
 * hold, the day, the session, the hosts.
 */
export async function claimTime(tables: BookingTables, wanted: Wanted, rules: ClaimRules): Promise<Taken> {
  if (await isDayFull(tables, wanted, rules)) return { kind: 'max_per_day' }
  if (await isSessionFull(tables, wanted, rules)) return { kind: 'full' }
  if (await isSessionEnding(tables, wanted)) return { kind: 'full' }
  const { tenantId, ownerId, mode, startTime, endTime, expiresInMs, replaces } = wanted
  const given = replaces === undefined ? [] : await tables.claims.release(tenantId, replaces)
  const hosts = await tables.claims.take({
    tenantId,
    ownerId,
    session: sessionOf({ ...wanted, id: ownerId }),
    // Of a pool the host that was held already: anybody else might be taken.
    hosts: [...new Set([...given.filter((host) => wanted.hosts.includes(host)), ...wanted.hosts])],
    mode,
    startTime,
    endTime,
    buffers: buffersOf(rules.settings),
    expiresInMs
  })
  return hosts ? { kind: 'taken', hosts } : { kind: 'claimed' }
}

async function isDayFull(
  { days }: BookingTables,
  wanted: Wanted,
  { settings, day }: ClaimRules
): Promise<boolean> {
  const { maxPerDay } = settings
  if (maxPerDay === undefined || !day) return false
  const { tenantId, eventType } = wanted
  const count = await days.lockAndCount({ tenantId, eventType, ...day, except: itself(wanted) })
  return count >= maxPerDay
}

/**
 * Everybody with a claim sits on a seat. Invitees of Calendly's own page whom we have not heard of show only in a
 * fresh read, from which the holds, whom Calendly does not know, still go. A booking that is under way is in one or
 * the other or in both, and must not be counted twice: it counts as a seat alone.
 */
async function isSessionFull(tables: BookingTables, wanted: Wanted, { seats }: ClaimRules): Promise<boolean> {
  if (!wanted.isGroup || (seats?.limit === undefined && seats?.remaining === undefined)) return false
  const { limit, remaining } = seats
  const { tenantId, ownerId, endTime } = wanted
  const session = sessionOf({ ...wanted, id: ownerId })
  const total = await tables.sessions.lock({ tenantId, session, limit, remaining, endsAt: endTime })
  const owners = await tables.claims.ownersOf(tenantId, session)
  const others = owners.filter(({ ownerId }) => !itself(wanted).includes(ownerId))
  const holds = others.filter(({ isHold }) => isHold)
  return others.length >= total || (remaining !== undefined && holds.length >= remaining)
}

/** Calendly cancels an event as a whole: whoever sat down now would be canceled along. A hold does not sit there. */
async function isSessionEnding({ sessions, claims }: BookingTables, wanted: Wanted): Promise<boolean> {
  if (!wanted.isGroup || wanted.expiresInMs !== undefined) return false
  const { tenantId, ownerId } = wanted
  const session = sessionOf({ ...wanted, id: ownerId })
  await sessions.lockKnown(tenantId, session)
  const owners = await claims.ownersOf(tenantId, session)
  return owners.some(({ isLeaving }) => isLeaving)
}

function itself({ ownerId, replaces }: Wanted): string[] {
  return replaces === undefined ? [ownerId] : [ownerId, replaces]
}
