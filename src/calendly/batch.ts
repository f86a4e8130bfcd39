import type { Found } from './freshness.ts'
import { dayOf, type Window, windowsOver } from './windows.ts'

type Options<T> = {
  windowDays: number
  now: () => number
  load: (window: Window) => Promise<readonly T[]>
  /** Told of the days that a window has beyond those asked for. */
  spare: (day: number, load: () => Promise<Found<readonly T[]>>) => void
}

type LoadDay<T> = (day: number) => Promise<Found<readonly T[]>>

/**
 * Loads days together: what is asked for during one turn of the event loop, which under load lasts some
 * milliseconds, is asked of Calendly in as few windows as can be. A window that fails fails its own days.
 */
export function createBatch<T extends { startTime: number }>({
  windowDays,
  now,
  load,
  spare
}: Options<T>): LoadDay<T> {
  let gathering: { days: Set<number>; sent: Promise<LoadDay<T>> } | undefined

  function gather() {
    const turn = new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
    const days = new Set<number>()
    const sent = turn.then(() => {
      gathering = undefined
      return send(days)
    })
    return { days, sent }
  }

  function send(days: ReadonlySet<number>): LoadDay<T> {
    const at = now()
    const windows = windowsOver(days, { windowDays, now: at }).map((window) => ({
      ...window,
      times: load(window).then(byDay)
    }))
    const loadDay = async (day: number) => {
      const window = windows.find(({ firstDay, lastDay }) => firstDay <= day && day <= lastDay)
      return { value: (await window?.times)?.get(day) ?? [], at }
    }
    for (const { firstDay, lastDay, startTime } of windows) {
      for (let day = Math.max(firstDay, dayOf(startTime)); day <= lastDay; day++) {
        if (!days.has(day)) spare(day, () => loadDay(day))
      }
    }
    return loadDay
  }

  return async (day) => {
    gathering ??= gather()
    gathering.days.add(day)
    const loadDay = await gathering.sent
    return loadDay(day)
  }
}

function byDay<T extends { startTime: number }>(times: readonly T[]): ReadonlyMap<number, readonly T[]> {
  const ascending = times.toSorted((a, b) => a.startTime - b.startTime)
  return Map.groupBy(ascending, ({ startTime }) => dayOf(startTime))
}
