import { sessionOf } from './booking.ts'
import type { Claim } from './booking-tables.ts'
import type { AvailableTime, EventType } from './calendly.ts'

export type Slot = {
  eventType: string
  startTime: number
  endTime: number
  spotsRemaining: number
  schedulingUrl?: string | undefined
}

export type ExclusionReason = 'hold' | 'booking'
export type ExcludedSlot = Pick<Slot, 'eventType' | 'startTime'> & { reasons: readonly ExclusionReason[] }

/** Round robin and its kin need one free host of the pool, everything else all of them. */
export function claimMode({ poolingType }: EventType): 'all' | 'any' {
  return poolingType === 'round_robin' || poolingType === 'multi_pool' ? 'any' : 'all'
}

/** What Calendly offers less what our own bookings and holds claim of the hosts' time. */
export function subtractClaims(
  eventType: EventType,
  times: readonly AvailableTime[],
  hosts: readonly string[],
  claims: readonly Claim[]
): { slots: Slot[]; excluded: ExcludedSlot[] } {
  const claimsOf = hosts.map((host) => createTimeline(claims.filter((claim) => claim.host === host)))
  const mode = claimMode(eventType)
  const isGroup = eventType.kind === 'group'
  const slots: Slot[] = []
  const excluded: ExcludedSlot[] = []

  for (const { startTime, inviteesRemaining, schedulingUrl } of times) {
    const endTime = startTime + eventType.durationMinutes * 60_000
    // Of a booking that does not exist yet: only a group's session can be somebody's already.
    const session = sessionOf({ id: '', isGroup, eventType: eventType.uri, startTime })
    const inTheWay = claimsOf.map((timeline) =>
      timeline.overlapping(startTime, endTime).filter((claim) => claim.session !== session)
    )
    const isFree = (claimsOfHost: readonly Claim[]) => claimsOfHost.length === 0
    if (mode === 'all' ? inTheWay.every(isFree) : hosts.length === 0 || inTheWay.some(isFree)) {
      slots.push({
        eventType: eventType.uri,
        startTime,
        endTime,
        spotsRemaining: inviteesRemaining,
        schedulingUrl
      })
    } else {
      excluded.push({ eventType: eventType.uri, startTime, reasons: reasonsOf(inTheWay.flat()) })
    }
  }
  return { slots, excluded }
}

export function reasonsOf(claims: readonly Claim[]): ExclusionReason[] {
  return [...new Set(claims.map(({ ownerId }) => (ownerId.startsWith('hld_') ? 'hold' : 'booking')))]
}

/** One host's claims do not overlap but for those of a session, which start together: sorted, starts and ends ascend. */
function createTimeline(unsorted: readonly Claim[]) {
  const claims = unsorted.toSorted((a, b) => a.startTime - b.startTime || a.endTime - b.endTime)

  return {
    /** Half-open on both sides: what ends at the start is not in the way. */
    overlapping(startTime: number, endTime: number): Claim[] {
      let low = 0
      for (let high = claims.length; low < high; ) {
        const middle = (low + high) >> 1
        if ((claims[middle]?.endTime ?? 0) <= startTime) low = middle + 1
        else high = middle
      }
      const found: Claim[] = []
      for (let at = low; at < claims.length; at++) {
        const claim = claims[at]
        if (!claim || claim.startTime >= endTime) break
        found.push(claim)
      }
      return found
    }
  }
}
