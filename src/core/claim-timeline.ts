import type { Claim } from './booking-tables.ts'

export type ClaimKind = 'hold' | 'booking' | 'buffer'

/** One host's claims by what they keep free, buffers included. Claims of one session overlap, with buffers of their own. */
export function createTimeline(unsorted: readonly Claim[]) {
  const claims = unsorted.toSorted((a, b) => a.busyFrom - b.busyFrom)
  // Of all claims up to each one: unlike the ends themselves, these ascend.
  let latest = Number.NEGATIVE_INFINITY
  const latestEnds = claims.map(({ busyTo }) => {
    latest = Math.max(latest, busyTo)
    return latest
  })

  return {
    /** Half-open on both sides: what ends at the start is not in the way. */
    overlapping(busyFrom: number, busyTo: number): Claim[] {
      const found: Claim[] = []
      for (let at = firstAfter(latestEnds, busyFrom); at < claims.length; at++) {
        const claim = claims[at]
        if (!claim || claim.busyFrom >= busyTo) break
        if (claim.busyTo > busyFrom) found.push(claim)
      }
      return found
    }
  }
}

/** Where in the ascending numbers the first one is that is greater. */
function firstAfter(ascending: readonly number[], than: number): number {
  let low = 0
  for (let high = ascending.length; low < high; ) {
    const middle = (low + high) >> 1
    if ((ascending[middle] ?? 0) <= than) low = middle + 1
    else high = middle
  }
  return low
}

export const isHoldId = (ownerId: string) => ownerId.startsWith('hld_')

/** What of a claim is in an appointment's way: the appointment it was taken for, or only what is kept free around it. */
export function kindOf(
  claim: Claim,
  { startTime, endTime }: Pick<Claim, 'startTime' | 'endTime'>
): ClaimKind {
  if (claim.startTime >= endTime || claim.endTime <= startTime) return 'buffer'
  return isHoldId(claim.ownerId) ? 'hold' : 'booking'
}
