import { offsetMs } from './time-zones.ts'

const minuteMs = 60_000
const dayMs = 86_400_000

/** A calendar day of a zone, half-open; as long as the zone makes it: 23, 23.5, 24, 24.5 or 25 hours. */
export type Day = { date: string; startsAt: number; endsAt: number }

/**
 * The day of the zone that a moment belongs to. It begins at its first midnight, or where the clocks skip that, when
 * they have skipped it; it ends when the next one begins. So days follow each other without a gap or an overlap,
 * and a day that a zone left out is nobody's.
 */
export function dayOf(timeZone: string, at: number): Day {
  let midnight = Math.floor((at + offsetMs(timeZone, at)) / dayMs) * dayMs
  let startsAt = startOf(timeZone, midnight)
  let endsAt = startOf(timeZone, midnight + dayMs)
  // Clocks set back from just after midnight repeat the evening before; the new day has begun all the same.
  while (endsAt <= at) {
    midnight += dayMs
    startsAt = endsAt
    endsAt = startOf(timeZone, midnight + dayMs)
  }
  return { date: new Date(midnight).toISOString().slice(0, 10), startsAt, endsAt }
}

/**
 * The moment at which the zone's clocks show `wall`: milliseconds since 1970-01-01T00:00 on those clocks.
 * A time that is skipped is moved forward by what was skipped, of one that comes twice it is the first: what
 * Temporal calls "compatible".
 */
export function instantOf(timeZone: string, wall: number): number {
  const { before, shown } = lookUp(timeZone, wall)
  return shown ?? wall - before
}

/** The first moment of the date; of a date that was left out, of the one after it. */
function startOf(timeZone: string, midnight: number): number {
  const { after, shown } = lookUp(timeZone, midnight)
  return shown ?? firstWith(timeZone, after, midnight - dayMs, midnight + dayMs)
}

/** The offsets on both sides of a wall-clock time, and the first moment at which clocks show it, if they ever do. */
function lookUp(timeZone: string, wall: number) {
  // No zone is a whole day away from UTC, and none changes its clocks twice in two days.
  const before = offsetMs(timeZone, wall - dayMs)
  const after = offsetMs(timeZone, wall + dayMs)
  const shown = [wall - before, wall - after].find((at) => at + offsetMs(timeZone, at) === wall)
  return { before, after, shown }
}

/** To the minute: the first moment from which on the zone has the offset it has at `high`. */
function firstWith(timeZone: string, offset: number, low: number, high: number): number {
  if (high - low <= minuteMs) return high
  const middle = low + Math.floor((high - low) / (2 * minuteMs)) * minuteMs
  return offsetMs(timeZone, middle) === offset
    ? firstWith(timeZone, offset, low, middle)
    : firstWith(timeZone, offset, middle, high)
}
