import { formatInstant } from './instants.ts'
import { createLocalClock } from './time-zones.ts'

export const mostAlternatives = 5

const minuteMs = 60_000
const dayMs = 86_400_000
/** So far from the asked time of day one still comes at the same time of day. */
const sameTimeMinutes = 60
/** From eight in the morning to ten in the evening. */
const wakes = 8 * 60
const sleeps = 22 * 60

/** Parts of a score, which add up to 1. Nearness is whole at the asked time and halved by a day's distance. */
const weights = { nearness: 0.4, same_day: 0.2, same_time_of_day: 0.15, same_host: 0.1, waking_hours: 0.15 }

export const alternativeReasons = [
  'nearest',
  'same_day',
  'same_time_of_day',
  'same_host',
  'waking_hours'
] as const

export type AlternativeReason = (typeof alternativeReasons)[number]

/** A time that can be booked now. */
export type OpenTime = {
  eventType: string
  startTime: number
  endTime: number
  /** Whether whoever hosts it is one who would have hosted what was asked for. */
  isSameHost: boolean
}

export type Alternative = Omit<OpenTime, 'isSameHost'> & {
  localStartTime: string
  /** 0–1 in thousandths, never ascending. */
  score: number
  reasons: AlternativeReason[]
}

/**
 * The best of the open times for somebody in the zone who wanted `asked`, which is itself none of them: a pure
 * function of its arguments. Of equal ones the earlier comes first, then the one whose event type sorts first.
 */
export function rankAlternatives(
  asked: Pick<OpenTime, 'eventType' | 'startTime'>,
  open: readonly OpenTime[],
  timeZone: string
): Alternative[] {
  const others = open.filter(
    ({ eventType, startTime }) => eventType !== asked.eventType || startTime !== asked.startTime
  )
  const distanceOf = ({ startTime }: OpenTime) => Math.abs(startTime - asked.startTime)
  const nearestMs = others.reduce(
    (least, time) => Math.min(least, distanceOf(time)),
    Number.POSITIVE_INFINITY
  )
  const clock = createLocalClock(timeZone)
  const [askedDate, askedMinute] = [clock.date(asked.startTime), clock.minuteOfDay(asked.startTime)]

  function reasonsFor(time: OpenTime): AlternativeReason[] {
    const { startTime, endTime } = time
    const minute = clock.minuteOfDay(startTime)
    const apart = Math.abs(minute - askedMinute)
    const holds: Record<AlternativeReason, boolean> = {
      nearest: distanceOf(time) === nearestMs,
      same_day: clock.date(startTime) === askedDate,
      same_time_of_day: Math.min(apart, 1_440 - apart) <= sameTimeMinutes,
      same_host: time.isSameHost,
      waking_hours: minute >= wakes && minute + (endTime - startTime) / minuteMs <= sleeps
    }
    return alternativeReasons.filter((reason) => holds[reason])
  }

  function judge(time: OpenTime) {
    const reasons = reasonsFor(time)
    const nearness = weights.nearness / (1 + distanceOf(time) / dayMs)
    const sum = reasons.reduce((sum, reason) => sum + (reason === 'nearest' ? 0 : weights[reason]), nearness)
    return { time, reasons, score: Math.round(sum * 1_000) / 1_000 }
  }

  return others
    .map(judge)
    .sort((a, b) => b.score - a.score || byStartThenEventType(a.time, b.time))
    .slice(0, mostAlternatives)
    .map(({ time: { eventType, startTime, endTime }, score, reasons }) => ({
      eventType,
      startTime,
      endTime,
      localStartTime: clock.format(startTime),
      score,
      reasons
    }))
}

function byStartThenEventType(a: OpenTime, b: OpenTime): number {
  return a.startTime - b.startTime || (a.eventType < b.eventType ? -1 : Number(a.eventType > b.eventType))
}

export function presentAlternative(alternative: Alternative) {
  return {
    event_type: alternative.eventType,
    start_time: formatInstant(alternative.startTime),
    end_time: formatInstant(alternative.endTime),
    local_start_time: alternative.localStartTime,
    score: alternative.score,
    reasons: alternative.reasons
  }
}
