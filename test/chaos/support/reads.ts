const dayMs = 86_400_000
const horizonDays = 170

export type Range = { eventType: string; startTime: number; endTime: number; isFresh?: boolean }

export function availabilityQuery({
  eventType,
  startTime,
  endTime,
  isFresh = false
}: Range): URLSearchParams {
  return new URLSearchParams({
    event_type: eventType,
    start_time: new Date(startTime).toISOString(),
    end_time: new Date(endTime).toISOString(),
    timezone: 'UTC',
    ...(isFresh && { fresh: 'true' })
  })
}

/** A range of so many days that hardly anybody else asks for, from tomorrow to half a year on. */
export function someRange(eventType: string, days: number, random: () => number): Range {
  const startTime = Math.floor(Date.now() + dayMs + random() * (horizonDays - days) * dayMs)
  return { eventType, startTime, endTime: startTime + days * dayMs }
}
