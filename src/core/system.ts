import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

/** The four impure things a program asks of its machine. Injected, never imported. */
export type System = {
  /** Epoch milliseconds. */
  now: () => number
  /** Resolves after `ms`; rejects with an `AbortError` when the signal fires first. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  /** Uniform in [0, 1). */
  random: () => number
  /** A fresh random UUID (v4). */
  id: () => string
}

export const realSystem: System = {
  now: Date.now,
  sleep: (ms, signal) => delay(ms, undefined, signal ? { signal } : {}),
  random: Math.random,
  id: randomUUID
}
