import type { AvailableTime } from '../core/calendly.ts'
import { AppError } from '../core/errors.ts'
import { cutIntoWindows, type Window } from './batch.ts'
import type { createCache } from './cache.ts'
import { type Reads, when } from './reads.ts'
import { readAvailableTimes } from './wire-resources.ts'

type Deps = {
  reads: Reads
  windows: ReturnType<typeof createCache<readonly AvailableTime[]>>
  windowDays: number
  now: () => number
}

type Ask = { eventType: string; startTime: number; endTime: number; fresh?: boolean }

/** `asOf` is the age of the oldest part; `stale` means that a newer one could not be had. */
export type Availability = { times: AvailableTime[]; asOf: number; stale: boolean }

export function createAvailability({ reads, windows, windowDays, now }: Deps) {
  const keyOf = (eventType: string, windowId: number | '') => `${eventType} ${windowId}`

  const load = (eventType: string, { startTime, endTime }: Window) =>
    reads.get(
      '/event_type_available_times',
      {
        event_type: eventType,
        start_time: new Date(startTime).toISOString(),
        end_time: new Date(endTime).toISOString()
      },
      readAvailableTimes
    )

  return {
    /** Future times that start in the half-open range, ascending. Throws `event_type_not_found`. */
    async availableTimes({ eventType, startTime, endTime, fresh = false }: Ask): Promise<Availability> {
      const parts = await Promise.all(
        cutIntoWindows({ startTime, endTime }, { windowDays, now: now() }).map((window) =>
          windows.get(keyOf(eventType, window.id), () => load(eventType, window), { fresh })
        )
      ).catch(
        when(404, () => {
          throw new AppError('event_type_not_found')
        })
      )
      const from = Math.max(startTime, now() + 1)
      return {
        times: parts
          .flatMap(({ value }) => value)
          .filter((time) => time.startTime >= from && time.startTime < endTime)
          .sort((a, b) => a.startTime - b.startTime),
        asOf: Math.min(now(), ...parts.map(({ at }) => at)),
        stale: parts.some(({ stale }) => stale)
      }
    },

    dropAvailability: (eventType: string) => windows.drop(keyOf(eventType, ''))
  }
}
