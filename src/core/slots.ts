import { sessionOf } from './booking.ts'
import type { Claim } from './booking-tables.ts'
import type { AvailableTime, EventType } from './calendly.ts'
import { type ClaimKind, createTimeline, isHoldId, kindOf } from './claim-timeline.ts'
import { buffersOf, type EventTypeSettings } from './settings.ts'

export type Slot = {
  eventType: string
  startTime: number
  endTime: number
  spotsRemaining: number
  schedulingUrl?: string | undefined
}

/** In the order in which they are told. */
const exclusionReasons = ['hold', 'booking', 'buffer', 'minimum_notice', 'max_per_day'] as const
export type ExclusionReason = (typeof exclusionReasons)[number]
export type ExcludedSlot = Pick<Slot, 'eventType' | 'startTime'> & { reasons: readonly ExclusionReason[] }

/** What Calendly offers of an event type, and what of ours narrows it. */
export type Offer = {
  eventType: EventType
  hosts: readonly string[]
  times: readonly AvailableTime[]
  /** Of the hosts, buffers of the event type on both sides of the times included. */
  claims: readonly Claim[]
  settings: EventTypeSettings
  /** What starts before it is within the minimum notice. */
  soonest: number
  /** Bookings of a group that Calendly cannot have counted among the seats it offers. */
  uncounted: readonly string[]
}

export type Split = {
  slots: Slot[]
  excluded: ExcludedSlot[]
  /** Bookings whose hosts Calendly offers for the time that they have. */
  contradicted: string[]
}

/** Round robin and its kin need one free host of the pool, everything else all of them. */
export function claimMode({ poolingType }: EventType): 'all' | 'any' {
  return poolingType === 'round_robin' || poolingType === 'multi_pool' ? 'any' : 'all'
}

/** What Calendly offers, divided into what can be had and what our own rules, holds and bookings forbid. */
export function splitOffer(offer: Offer, isFullDay: (startTime: number) => boolean): Split {
  const { eventType, times, soonest } = offer
  const look = createLook(offer)
  const slots: Slot[] = []
  const excluded: ExcludedSlot[] = []
  const contradicted = new Set<string>()

  for (const { startTime, inviteesRemaining, schedulingUrl } of times) {
    const slot = { startTime, endTime: startTime + eventType.durationMinutes * 60_000 }
    const seen = look(slot, inviteesRemaining)
    const reasons = new Set<ExclusionReason>(seen.kinds)
    if (startTime < soonest) reasons.add('minimum_notice')
    if (isFullDay(startTime)) reasons.add('max_per_day')
    if (reasons.size === 0) {
      slots.push({ eventType: eventType.uri, ...slot, spotsRemaining: seen.spotsRemaining, schedulingUrl })
    } else {
      const told = exclusionReasons.filter((reason) => reasons.has(reason))
      excluded.push({ eventType: eventType.uri, startTime, reasons: told })
      for (const id of seen.contradicted) contradicted.add(id)
    }
  }
  return { slots, excluded, contradicted: [...contradicted] }
}

type Look = { kinds: Iterable<ClaimKind>; spotsRemaining: number; contradicted: Iterable<string> }
type Appointment = Pick<Slot, 'startTime' | 'endTime'>

/** What our claims leave of a slot; no kinds when it is free. */
function createLook({ eventType, hosts, claims, settings, uncounted }: Offer) {
  const timelines = hosts.map((host) => createTimeline(claims.filter((claim) => claim.host === host)))
  const needsAll = claimMode(eventType) === 'all'
  const { beforeMs, afterMs } = buffersOf(settings)
  const isGroup = eventType.kind === 'group'
  const seats = isGroup ? takenSeats(claims, new Set(uncounted)) : undefined

  return (slot: Appointment, inviteesRemaining: number): Look => {
    // Of a booking that does not exist yet: only a group's session can be somebody's already.
    const session = sessionOf({ id: '', isGroup, eventType: eventType.uri, startTime: slot.startTime })
    const inTheWay = timelines.map((timeline) =>
      timeline
        .overlapping(slot.startTime - beforeMs, slot.endTime + afterMs)
        .filter((claim) => claim.session !== session)
    )
    const isFree = (claimsOfHost: readonly Claim[]) => claimsOfHost.length === 0
    const isOpen = needsAll ? inTheWay.every(isFree) : hosts.length === 0 || inTheWay.some(isFree)
    if (!isOpen) {
      const kinds = new Set(inTheWay.flat().map((claim) => kindOf(claim, slot)))
      return { kinds, spotsRemaining: 0, contradicted: contradictedBy(slot, inTheWay, needsAll) }
    }
    const owners = seats?.get(session) ?? noOwners
    const spotsRemaining = inviteesRemaining - owners.size
    const kinds = spotsRemaining > 0 ? [] : [...owners].map((id) => (isHoldId(id) ? 'hold' : 'booking'))
    return { kinds, spotsRemaining, contradicted: [] }
  }
}

const noOwners: ReadonlySet<string> = new Set()

/** Session → the owners of seats in it that are not among those that Calendly counts. */
function takenSeats(
  claims: readonly Claim[],
  uncounted: ReadonlySet<string>
): ReadonlyMap<string, ReadonlySet<string>> {
  const seats = new Map<string, Set<string>>()
  for (const { session, ownerId } of claims) {
    if (!isHoldId(ownerId) && !uncounted.has(ownerId)) continue
    const owners = seats.get(session) ?? new Set()
    seats.set(session, owners.add(ownerId))
  }
  return seats
}

/** Calendly knows nothing of buffers and holds; of a pool it offers one host, so only bookings of them all are in doubt. */
function contradictedBy(slot: Appointment, inTheWay: readonly Claim[][], needsAll: boolean): string[] {
  const booked = inTheWay.map((claims) => claims.filter((claim) => kindOf(claim, slot) === 'booking'))
  if (!needsAll && booked.some((claims) => claims.length === 0)) return []
  return booked.flat().map(({ ownerId }) => ownerId)
}
