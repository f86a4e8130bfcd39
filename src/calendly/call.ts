import { AppError } from '../core/errors.ts'
import type { System } from '../core/system.ts'
import { CalendlyError, ExchangeError } from './errors.ts'
import { type Keys, lastFour } from './keys.ts'
import type { Meter } from './meter.ts'
import { retry } from './retry.ts'
import type { Answer, Request, Send } from './send.ts'
import { readProblem } from './wire.ts'

type Write = (details: object, message: string) => void
export type Log = { debug: Write; warn: Write; error: Write }

export type Deadlines = { headersMs: number; bodyMs: number; totalMs: number }

const usualDeadlines: Deadlines = { headersMs: 5_000, bodyMs: 5_000, totalMs: 10_000 }
const backoff = { attempts: 3, baseMs: 100, capMs: 2_000 }
const retryable = new Set([408, 429, 500, 502, 503, 504])

type Deps = { send: Send; keys: Keys; meter: Meter; system: System; log: Log }

export function createCall({ send, keys, meter, system, log }: Deps) {
  async function attempt(request: Request, token: string, limits: Parameters<Send>[2]): Promise<Answer> {
    const endpoint = endpointOf(request)
    const startedAt = system.now()
    const record = (isError: boolean) => meter.record(endpoint, startedAt, isError)
    try {
      const answer = await send(request, token, limits)
      const { status, requestId } = answer
      const isFailure = status === 401 || status === 429 || status >= 500
      record(isFailure)
      log[isFailure ? 'warn' : 'debug']({ endpoint, status, requestId }, 'calendly answered')
      return answer
    } catch (error) {
      record(true)
      log.warn({ endpoint, err: error }, 'calendly did not answer')
      throw error
    }
  }

  /**
   * Asks Calendly within one deadline that covers keys and retries. Answers with a success, else throws
   * CalendlyError, ExchangeError, or AppError `calendly_unavailable` when no key is accepted.
   */
  return async function call(request: Request, deadlines: Deadlines = usualDeadlines): Promise<Answer> {
    if (keys.isEmpty) throw new AppError('calendly_unavailable', 'No Calendly credential is configured')
    const { totalMs, ...phases } = deadlines
    const limits = { ...phases, overall: AbortSignal.timeout(totalMs) }
    const candidates = keys.usable()
    let refusal: CalendlyError | undefined

    async function withNextKey(): Promise<Answer> {
      for (let key = candidates[0]; key; key = candidates[0]) {
        const answer = await attempt(request, key.token, limits)
        if (answer.status >= 200 && answer.status < 300) return answer
        refusal = new CalendlyError(answer.status, readProblem(answer.body), answer)
        if (answer.status !== 401) throw refusal
        candidates.shift()
        if (keys.reject(key)) log.error({ key: key.name, lastFour: lastFour(key) }, 'calendly refused a key')
      }
      throw new AppError('calendly_unavailable', 'Calendly accepts none of the keys', {
        cause: refusal,
        retryAfterMs: keys.restMs()
      })
    }

    return retry(
      withNextKey,
      (error) => verdict(request, error),
      { ...backoff, deadlineAt: system.now() + totalMs },
      system
    )
  }
}

export type Call = ReturnType<typeof createCall>

/** What may have had an effect is repeated only if repeating has none. */
function verdict({ method }: Request, error: unknown) {
  if (error instanceof ExchangeError && (method === 'GET' || !error.wasSent)) return {}
  if (error instanceof CalendlyError && method === 'GET' && retryable.has(error.status)) {
    return { retryAfterMs: error.retryAfterMs }
  }
  return undefined
}

/** The path with its ids masked: collections and ids take turns in Calendly's paths. */
function endpointOf({ method, path }: Request): string {
  const segments = path.split('/').slice(1)
  return `${method} /${segments.map((segment, i) => (i % 2 && segment !== 'me' ? '{uuid}' : segment)).join('/')}`
}
