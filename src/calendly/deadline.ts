import { ExchangeError } from './errors.ts'
import type { Limits } from './exchange.ts'

/** `totalMs` covers waiting, every key and every retry. */
export type Deadlines = { headersMs: number; bodyMs: number; totalMs: number }

export const usualDeadlines: Deadlines = { headersMs: 5_000, bodyMs: 5_000, totalMs: 10_000 }

/**
 * Of one request, on the client's clock: `startBy` is the last instant at which it is still worth sending, `waitBy`
 * the last until which it is worth waiting for quota.
 */
export type Deadline = { headersMs: number; bodyMs: number; waitBy: number; startBy: number; endsAt: number }

// A write that is cut off may or may not have happened: better not sent at all.
const leftForWritesMs = 5_000
// A read that begins with its last breath fails, and that would be held against Calendly.
const leftForReadsMs = 1_000
// Whoever books may use more of the quota, and must hear in time that others have used up theirs.
const readsWaitMs = 3_000

export function startDeadline({ totalMs, ...phases }: Deadlines, method: string, now: number): Deadline {
  const isRead = method === 'GET'
  const endsAt = now + totalMs
  const startBy = endsAt - (isRead ? leftForReadsMs : leftForWritesMs)
  const waitBy = isRead ? Math.min(now + readsWaitMs, startBy - 500) : startBy - 500
  return { ...phases, waitBy, startBy, endsAt }
}

/** For an exchange that begins now. Throws an ExchangeError where it is too late for one. */
export function limitsAt(now: number, { headersMs, bodyMs, startBy, endsAt }: Deadline): Limits {
  if (now > startBy) throw overdue()
  return { headersMs, bodyMs, totalMs: endsAt - now }
}

/** Waits for `ms` at most, then throws an ExchangeError; the work goes on for others who wait for it. */
export function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const end = AbortSignal.timeout(Math.max(0, ms))
  const onEnd = () => reject(overdue())
  end.addEventListener('abort', onEnd)
  work.then(resolve, reject).finally(() => end.removeEventListener('abort', onEnd))
  return promise
}

const overdue = () =>
  new ExchangeError('The deadline passed before it could be sent', { reason: 'timeout', wasSent: false })
