const minuteMs = 60_000
const dayMs = 86_400_000

/** Whole UTC days, counted since the epoch; `startTime` may lie later in the first, since Calendly refuses the past. */
export type Window = { firstDay: number; lastDay: number; startTime: number; endTime: number }

/** A full minute ahead, so that it still lies in the future when Calendly reads it. */
export const earliestStart = (now: number) => Math.ceil((now + minuteMs) / minuteMs) * minuteMs

export const dayOf = (instant: number) => Math.floor(instant / dayMs)

/**
 * The fewest windows that have every one of these days, less those of which too little is left to ask for. As far
 * as it costs no window they lie on a grid that starts today, so that different callers ask for the same ones.
 */
export function windowsOver(
  days: Iterable<number>,
  { windowDays, now }: { windowDays: number; now: number }
): Window[] {
  const earliest = earliestStart(now)
  const today = dayOf(now)
  const open = [...days].filter((day) => (day + 1) * dayMs > earliest).sort((a, b) => a - b)

  type Plan = { windows: number; firstDay: number; next: Plan | undefined }
  // Of each day, the windows from it on.
  const plans: Plan[] = []
  const startingAt = (firstDay: number): Plan => {
    const next = plans[open.findIndex((day) => day >= firstDay + windowDays)]
    return { windows: 1 + (next?.windows ?? 0), firstDay, next }
  }
  for (const [i, day] of [...open.entries()].reverse()) {
    const onGrid = startingAt(day - ((day - today) % windowDays))
    const offGrid = startingAt(day)
    plans[i] = offGrid.windows < onGrid.windows ? offGrid : onGrid
  }

  const windows: Window[] = []
  for (let plan = plans[0]; plan; plan = plan.next) {
    const { firstDay } = plan
    const endDay = firstDay + windowDays
    windows.push({
      firstDay,
      lastDay: endDay - 1,
      startTime: Math.max(firstDay * dayMs, earliest),
      endTime: endDay * dayMs
    })
  }
  return windows
}
