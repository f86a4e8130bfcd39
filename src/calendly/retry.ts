import type { System } from '../core/system.ts'
import { CalendlyError, ExchangeError } from './errors.ts'

export type RetryPolicy = { attempts: number; baseMs: number; capMs: number }

const usualPolicy: RetryPolicy = { attempts: 3, baseMs: 100, capMs: 2_000 }
const budgetSize = 10
const earnedByFirst = 0.1
const passing = new Set([408, 429, 500, 502, 503, 504])

/**
 * Full-jitter exponential backoff: any wait between none and a ceiling that doubles, or what the server asks for.
 * All retries are paid from one budget, to which every first attempt adds a tenth of one, so that an outage does
 * not multiply the calls that run into it.
 */
export function createRetry({ now, sleep, random }: System, { attempts, baseMs, capMs } = usualPolicy) {
  let budget = budgetSize

  function spend(): boolean {
    if (budget < 1) return false
    budget -= 1
    return true
  }

  /** `run` is told which attempt it is, from 1. A wait that would reach `startBy` is not begun. */
  return async function retry<T>(
    run: (attempt: number) => Promise<T>,
    { method, startBy }: { method: string; startBy: number }
  ): Promise<T> {
    budget = Math.min(budgetSize, budget + earnedByFirst)
    for (let attempt = 1; ; attempt++) {
      try {
        return await run(attempt)
      } catch (error) {
        if (attempt === attempts || !mayRepeat(method, error)) throw error
        const waitMs = askedWait(error) ?? random() * Math.min(capMs, baseMs * 2 ** (attempt - 1))
        if (now() + waitMs >= startBy || !spend()) throw error
        await sleep(waitMs)
      }
    }
  }
}

export type Retry = ReturnType<typeof createRetry>

/** What may have had an effect is repeated only if repeating has none. */
function mayRepeat(method: string, error: unknown): boolean {
  if (error instanceof ExchangeError) return method === 'GET' || !error.wasSent
  if (!(error instanceof CalendlyError)) return false
  return method === 'GET' ? passing.has(error.status) : error.status === 429
}

const askedWait = (error: unknown) => (error instanceof CalendlyError ? error.retryAfterMs : undefined)
