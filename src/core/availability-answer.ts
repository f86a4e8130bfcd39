import type { Claim } from './booking-tables.ts'
import { type Day, dayOf } from './days.ts'
import { isSameSettings } from './settings.ts'
import { type ExcludedSlot, type Offer, type Slot, type Split, splitOffer } from './slots.ts'
import { createLocalClock, createReader } from './time-zones.ts'

/** What an answer is made of, for one event type. */
export type Part = Offer & {
  /** Where a day takes only so many: what it has already, ascending, and whose days they are. */
  taken?: { starts: readonly number[]; timeZone: string } | undefined
  asOf: number
  stale: boolean
}

/** For whom it is written. */
export type Rendering = {
  timeZone: string
  /** BCP 47; adds a reader's rendering of each local time. */
  locale?: string | undefined
}

export type LocalSlot = Slot & {
  localStartTime: string
  localEndTime: string
  formattedStartTime?: string | undefined
  formattedEndTime?: string | undefined
}

export type Availability = {
  timeZone: string
  /** When the oldest part of the answer was read from Calendly. */
  asOf: number
  stale: boolean
  days: { date: string; slots: LocalSlot[] }[]
  excluded: ExcludedSlot[]
}

export function split(part: Part): Split {
  const fullDays = fullDaysOf(part)
  return splitOffer(part, (startTime) =>
    fullDays.some(({ startsAt, endsAt }) => startTime >= startsAt && startTime < endsAt)
  )
}

/** Days that have as many bookings and holds as they may. */
function fullDaysOf({ taken, settings: { maxPerDay } }: Part): Day[] {
  if (!taken || maxPerDay === undefined) return []
  const full: Day[] = []
  let day: Day | undefined
  let count = 0
  for (const startTime of taken.starts) {
    if (!day || startTime >= day.endsAt) {
      day = dayOf(taken.timeZone, startTime)
      count = 0
    }
    count++
    if (count === maxPerDay) full.push(day)
  }
  return full
}

/** Whether nothing has changed that an answer depends on. What is remembered of Calendly stays the same objects. */
export function isSame(kept: readonly Part[], parts: readonly Part[]): boolean {
  return areSame(
    kept,
    parts,
    (a, b) =>
      a.eventType === b.eventType &&
      a.asOf === b.asOf &&
      a.stale === b.stale &&
      a.soonest === b.soonest &&
      isSameSettings(a.settings, b.settings) &&
      a.taken?.timeZone === b.taken?.timeZone &&
      areSame(a.taken?.starts ?? [], b.taken?.starts ?? [], Object.is) &&
      areSame(a.uncounted, b.uncounted, Object.is) &&
      areSame(a.times, b.times, Object.is) &&
      areSame(a.hosts, b.hosts, Object.is) &&
      areSame(a.claims, b.claims, isSameClaim)
  )
}

function areSame<T>(a: readonly T[], b: readonly T[], isSameItem: (a: T, b: T) => boolean): boolean {
  return a === b || (a.length === b.length && a.every((item, at) => isSameItem(item, b[at] as T)))
}

function isSameClaim(a: Claim, b: Claim): boolean {
  return (
    a.host === b.host &&
    a.ownerId === b.ownerId &&
    a.session === b.session &&
    a.startTime === b.startTime &&
    a.endTime === b.endTime &&
    a.busyFrom === b.busyFrom &&
    a.busyTo === b.busyTo
  )
}

export function compose(parts: readonly Part[], found: readonly Split[], query: Rendering): Availability {
  return {
    timeZone: query.timeZone,
    asOf: Math.min(...parts.map(({ asOf }) => asOf)),
    stale: parts.some(({ stale }) => stale),
    days: intoDays(found.flatMap(({ slots }) => slots).sort(byStartThenEventType), query),
    excluded: found.flatMap(({ excluded }) => excluded).sort(byStartThenEventType)
  }
}

export function slotsIn({ days, excluded }: Availability): number {
  return days.reduce((sum, { slots }) => sum + slots.length, excluded.length)
}

function byStartThenEventType(a: ExcludedSlot | Slot, b: ExcludedSlot | Slot): number {
  return a.startTime - b.startTime || (a.eventType < b.eventType ? -1 : Number(a.eventType > b.eventType))
}

/** The days of the asked zone, as long as its daylight saving makes them; days without a slot are left out. */
function intoDays(slots: readonly Slot[], { timeZone, locale }: Rendering): Availability['days'] {
  const clock = createLocalClock(timeZone)
  const read = locale === undefined ? undefined : createReader(timeZone, locale)
  const days: Availability['days'] = []
  for (const slot of slots) {
    const localStartTime = clock.format(slot.startTime)
    const date = localStartTime.slice(0, 10)
    let day = days.at(-1)
    if (day?.date !== date) {
      day = { date, slots: [] }
      days.push(day)
    }
    day.slots.push({
      ...slot,
      localStartTime,
      localEndTime: clock.format(slot.endTime),
      ...(read && { formattedStartTime: read(slot.startTime), formattedEndTime: read(slot.endTime) })
    })
  }
  return days
}
