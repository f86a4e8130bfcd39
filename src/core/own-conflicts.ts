import { type Booking, isUnresolved, sessionOf } from './booking.ts'
import type { BookingReads, Claim } from './booking-tables.ts'
import type { EventType } from './calendly.ts'
import { isHoldId, kindOf } from './claim-timeline.ts'
import { type Asked, type Conflict, endOf } from './conflict.ts'
import { type Day, dayOf } from './days.ts'
import { AppError } from './errors.ts'
import type { Hold } from './hold.ts'
import { type Buffers, buffersOf, type EventTypeSettings, isTooSoon } from './settings.ts'
import { claimMode } from './slots.ts'
import type { System } from './system.ts'

type Deps = {
  system: Pick<System, 'now'>
  reads: Pick<BookingReads, 'claimsBetween' | 'startsBetween' | 'findSeats' | 'find' | 'findHold'>
  settings: { find: (tenantId: string, eventType: string) => Promise<EventTypeSettings> }
  calendly: { timeZoneOf: (eventType: EventType) => Promise<string> }
}

/** What of ours stands in the way of a time: bookings, holds, buffers, seats, notice, days that are full. */
export function createOwnConflicts({ system, reads, settings, calendly }: Deps) {
  return {
    async find(asked: Asked): Promise<Conflict[]> {
      const rules = await settings.find(asked.tenantId, asked.eventType.uri)
      const buffers = buffersOf(rules)
      const [claims, seats, fullDay] = await Promise.all([
        claimsOn(asked, buffers),
        asked.eventType.kind === 'group' ? reads.findSeats(asked.tenantId, sessionFor(asked)) : undefined,
        takenDay(asked, rules)
      ])
      const isFull = seats !== undefined && ownersOf(seatsIn(claims, asked)).size >= seats
      return [
        ...claimedBy(claims, asked, buffers),
        ...(isFull ? seatsIn(claims, asked).map(appointmentOf) : []),
        ...notice(asked, rules),
        ...fullDay
      ]
    },

    /** Who has seats in the asked group session. */
    async ofSession(asked: Asked): Promise<Conflict[]> {
      return seatsIn(await claimsOn(asked), asked).map(appointmentOf)
    },

    /** Everybody's claims that touch the appointment. */
    claims: (asked: Asked) => claimsOn(asked)
  }

  function claimsOn(asked: Asked, { beforeMs, afterMs }: Buffers = noBuffers): Promise<Claim[]> {
    const { tenantId, hosts, startTime } = asked
    return reads.claimsBetween(tenantId, hosts, startTime - beforeMs, endOf(asked) + afterMs)
  }

  function notice({ startTime }: Asked, settings: EventTypeSettings): Conflict[] {
    const now = system.now()
    if (!isTooSoon(settings, startTime, now)) return []
    const endTime = now + settings.minimumNoticeMinutes * 60_000
    return [{ kind: 'minimum_notice', startTime: now, endTime }]
  }

  async function takenDay(asked: Asked, { maxPerDay }: EventTypeSettings): Promise<Conflict[]> {
    if (maxPerDay === undefined) return []
    const { tenantId, eventType, startTime } = asked
    const timeZone = await calendly.timeZoneOf(eventType).catch(unlessAway)
    // Without its zone there is no day to count; whoever takes the time is asked for it again.
    if (timeZone === undefined) return []
    const day = dayOf(timeZone, startTime)
    const starts = await reads.startsBetween(tenantId, eventType.uri, day.startsAt, day.endsAt)
    const others = starts.length - (await countExcluded(asked, day))
    if (others < maxPerDay) return []
    return [{ kind: 'max_per_day', startTime: day.startsAt, endTime: day.endsAt }]
  }

  /** How many of a day's starts are those of owners that are not in the way. */
  async function countExcluded({ tenantId, eventType, exclude = [] }: Asked, day: Day): Promise<number> {
    const owners = await Promise.all(exclude.map((id) => findCounted(tenantId, id)))
    const counts = owners.filter(
      (owner) =>
        owner?.eventType === eventType.uri && owner.startTime >= day.startsAt && owner.startTime < day.endsAt
    )
    return counts.length
  }

  /** What is over makes no room: it takes none. */
  async function findCounted(tenantId: string, id: string): Promise<Booking | Hold | undefined> {
    if (isHoldId(id)) {
      const hold = await reads.findHold(tenantId, id)
      return hold?.status === 'active' ? hold : undefined
    }
    const booking = await reads.find(tenantId, id)
    return booking && (booking.status === 'confirmed' || isUnresolved(booking)) ? booking : undefined
  }
}

export type OwnConflicts = ReturnType<typeof createOwnConflicts>

const noBuffers: Buffers = { beforeMs: 0, afterMs: 0 }

/** Of an appointment that does not exist yet: only a group's session can be somebody's already. */
const sessionFor = ({ eventType, startTime }: Asked) =>
  sessionOf({ id: '', isGroup: eventType.kind === 'group', eventType: eventType.uri, startTime })

const ownersOf = (claims: readonly Claim[]) => new Set(claims.map(({ ownerId }) => ownerId))

const isOthers = ({ ownerId }: Claim, { exclude = [] }: Asked) => !exclude.includes(ownerId)

const seatsIn = (claims: readonly Claim[], asked: Asked) =>
  asked.eventType.kind === 'group'
    ? claims.filter((claim) => claim.session === sessionFor(asked) && isOthers(claim, asked))
    : []

function claimedBy(claims: readonly Claim[], asked: Asked, buffers: Buffers): Conflict[] {
  const others = claims.filter((claim) => claim.session !== sessionFor(asked) && isOthers(claim, asked))
  const taken = new Set(others.map(({ host }) => host))
  const needsOne = claimMode(asked.eventType) === 'any'
  const isFree = taken.size === 0 || (needsOne && taken.size < asked.hosts.length)
  return isFree ? [] : others.map((claim) => conflictWith(claim, asked, buffers))
}

function appointmentOf({ ownerId, startTime, endTime }: Claim): Conflict {
  return isHoldId(ownerId)
    ? { kind: 'hold', startTime, endTime }
    : { kind: 'booking', startTime, endTime, bookingId: ownerId }
}

/** Its buffers and ours add up, so no appointment of ours may touch the range that a `buffer` names. */
function conflictWith(claim: Claim, asked: Asked, { beforeMs, afterMs }: Buffers): Conflict {
  if (kindOf(claim, { startTime: asked.startTime, endTime: endOf(asked) }) !== 'buffer')
    return appointmentOf(claim)
  return {
    kind: 'buffer',
    startTime: claim.busyFrom - afterMs,
    endTime: claim.busyTo + beforeMs,
    ...(!isHoldId(claim.ownerId) && { bookingId: claim.ownerId })
  }
}

function unlessAway(error: unknown): undefined {
  if (!(error instanceof AppError && error.code === 'calendly_unavailable')) throw error
}
