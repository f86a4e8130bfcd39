import { ApiError } from './errors.ts'

export type Clock = ReturnType<typeof createClock>

/** The sandbox's own time: a base clock plus an offset that only grows, until `reset`. All in epoch milliseconds. */
export function createClock(base: () => number) {
  let offsetMs = 0
  let lastStamped = 0
  let calls = 0
  const listeners: (() => void)[] = []
  const now = () => base() + offsetMs

  return {
    now,

    /** This moment as Calendly writes it, never the same twice: its clock counts microseconds, ours counts calls. */
    stamp() {
      const time = now()
      calls = time === lastStamped ? calls + 1 : 1
      lastStamped = time
      return new Date(time).toISOString().replace('Z', `${String(calls % 1000).padStart(3, '0')}Z`)
    },

    /** Refuses to go back. */
    moveTo(time: number) {
      const aheadMs = time - now()
      if (aheadMs < 0) {
        throw new ApiError(400, { message: 'The clock only moves forward; reset the sandbox to go back.' })
      }
      offsetMs += aheadMs
      for (const listener of listeners) listener()
    },

    reset() {
      offsetMs = 0
    },

    onMove(listener: () => void) {
      listeners.push(listener)
    }
  }
}
