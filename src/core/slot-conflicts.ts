import type { AvailabilityService } from './availability.ts'
import { type Booking, sessionOf } from './booking.ts'
import type { BookingReads, Claim } from './booking-tables.ts'
import type { EventType } from './calendly.ts'
import { AppError } from './errors.ts'
import { formatInstant } from './instants.ts'
import { reasonsOf } from './slots.ts'
import type { System } from './system.ts'
import { createLocalClock } from './time-zones.ts'

const dayMs = 86_400_000
const mostAlternatives = 5

type Wanted = Pick<
  Booking,
  'id' | 'tenantId' | 'eventType' | 'isGroup' | 'startTime' | 'endTime' | 'hosts' | 'invitee'
>

type Deps = {
  system: System
  reads: Pick<BookingReads, 'claimsBetween'>
  openTimes: AvailabilityService['openTimes']
  calendly: { getEventType: (tenantId: string, uri: string) => Promise<EventType> }
}

/** What stands in the way of a slot, and what can be had instead. */
export function createSlotConflicts({ system, reads, openTimes, calendly }: Deps) {
  const underWay = new Map<string, Promise<Record<string, unknown>>>()

  return {
    /** Spares those who come too late the transaction; the constraint, not this look, decides. */
    async refuseIfClaimed(wanted: Booking, mode: 'all' | 'any'): Promise<void> {
      const claims = await inTheWay(wanted)
      const taken = new Set(claims.map(({ host }) => host))
      const isLost = mode === 'all' ? taken.size > 0 : taken.size > 0 && taken.size === wanted.hosts.length
      if (isLost) throw await lost(wanted)
    },

    lost
  }

  /** The `slot_unavailable` for everybody who lost this slot, worked out once for all who ask at the same time. */
  async function lost(wanted: Wanted): Promise<AppError> {
    const key = [wanted.tenantId, wanted.eventType, wanted.startTime, wanted.invitee.timezone].join('\n')
    const shared =
      underWay.get(key) ??
      describe(wanted).finally(() => {
        underWay.delete(key)
      })
    underWay.set(key, shared)
    const { isClaimed, ...members } = await shared
    const detail = isClaimed ? 'Somebody else has that time.' : 'Calendly does not offer that time.'
    return new AppError('slot_unavailable', detail, { members })
  }

  async function inTheWay(wanted: Wanted): Promise<Claim[]> {
    const hosts = wanted.hosts.map(({ user }) => user)
    const claims = await reads.claimsBetween(wanted.tenantId, hosts, wanted.startTime, wanted.endTime)
    return claims.filter(({ session, ownerId }) => session !== sessionOf(wanted) && ownerId !== wanted.id)
  }

  async function describe(wanted: Wanted): Promise<Record<string, unknown>> {
    const [claims, alternatives] = await Promise.all([inTheWay(wanted), nearest(wanted).catch(() => [])])
    return {
      isClaimed: claims.length > 0,
      conflicts:
        claims.length > 0
          ? claims.map((claim) => ({
              kind: reasonsOf([claim])[0],
              start_time: formatInstant(claim.startTime),
              end_time: formatInstant(claim.endTime)
            }))
          : [
              {
                kind: 'outside_availability',
                start_time: formatInstant(wanted.startTime),
                end_time: formatInstant(wanted.endTime)
              }
            ],
      alternatives
    }
  }

  /** Open times of the same event type, nearest first, from three days before to a week after. */
  async function nearest(wanted: Wanted) {
    const eventType = await calendly.getEventType(wanted.tenantId, wanted.eventType)
    const { slots } = await openTimes(
      wanted.tenantId,
      eventType,
      Math.max(system.now(), wanted.startTime - 3 * dayMs),
      wanted.startTime + 7 * dayMs
    )
    const clock = createLocalClock(wanted.invitee.timezone ?? 'UTC')
    const distance = (startTime: number) => Math.abs(startTime - wanted.startTime)
    return slots
      .filter(({ startTime }) => startTime !== wanted.startTime)
      .sort((a, b) => distance(a.startTime) - distance(b.startTime) || a.startTime - b.startTime)
      .slice(0, mostAlternatives)
      .map(({ startTime, endTime }, rank) => ({
        event_type: eventType.uri,
        start_time: formatInstant(startTime),
        end_time: formatInstant(endTime),
        local_start_time: clock.format(startTime),
        score: Math.round(1_000 / (1 + distance(startTime) / dayMs)) / 1_000,
        reasons: [
          ...(rank === 0 ? ['nearest'] : []),
          ...(clock.date(startTime) === clock.date(wanted.startTime) ? ['same_day'] : [])
        ]
      }))
  }
}

export type SlotConflicts = ReturnType<typeof createSlotConflicts>
