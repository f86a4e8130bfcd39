const tickMs = 50

/** Calls back once after `ms`, late by a tenth of a second at most, unless cancelled by what it returns. */
export type StartTimeout = (ms: number, onTimeout: () => void) => () => void

/** Timeouts that share one timer. A timer for each of a request's three would cost as much as the request. */
export function createTimeouts(): StartTimeout {
  const due = new Map<number, Set<{ onTimeout: () => void }>>()
  let isTicking = false

  function wait(): void {
    isTicking = true
    AbortSignal.timeout(tickMs).addEventListener('abort', expire, { once: true })
  }

  // By the clock, since ticks that come late would add up.
  function expire({ timeStamp }: Event): void {
    for (const [tick, entries] of due) {
      if (tick * tickMs > timeStamp) continue
      due.delete(tick)
      for (const { onTimeout } of entries) onTimeout()
    }
    isTicking = false
    if (due.size > 0) wait()
  }

  return function start(ms, onTimeout) {
    const tick = Math.ceil((monotonicMs() + ms) / tickMs)
    const entry = { onTimeout }
    const entries = due.get(tick) ?? new Set()
    due.set(tick, entries.add(entry))
    if (!isTicking) wait()
    return () => void entries.delete(entry)
  }
}

/** What every event is stamped with (W3C High Resolution Time): it never goes back. */
const monotonicMs = () => new Event('now').timeStamp
