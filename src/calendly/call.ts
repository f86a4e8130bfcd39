import { AppError } from '../core/errors.ts'
import type { System } from '../core/system.ts'
import type { Ask } from './ask.ts'
import { type Deadline, type Deadlines, limitsAt, startDeadline, usualDeadlines } from './deadline.ts'
import { CalendlyError, ExchangeError } from './errors.ts'
import type { Ending, Governor, Purpose, Throttle } from './governor.ts'
import type { Keys } from './key-walk.ts'
import type { UsableKey } from './keys.ts'
import type { Retry } from './retry.ts'
import type { Answer, Request } from './send.ts'
import { readProblem } from './wire.ts'

// When quota is free again it is soon gone: of more than this most would have waited in vain.
const mostWaiting = 32

type Deps = { ask: Ask; keys: Keys; governor: Governor; retry: Retry; system: System }

/** One request on its way. Nothing of it is shared with others, whatever they meet meanwhile. */
type Journey = { request: Request; purpose: Purpose; deadline: Deadline; isRetry: boolean }

/** `startedAt`: when what the call is a part of began, whose deadline it shares. */
type CallOptions = Purpose & { deadlines?: Deadlines; startedAt?: number }

type Outcome = { answer: Answer; throttle?: undefined } | { answer?: undefined; throttle: Throttle }

export function createCall({ ask, keys, governor, retry, system }: Deps) {
  const { now, sleep } = system
  let waiting = 0

  /** One exchange with one key, if its user has a call left. */
  async function exchange(
    { request, purpose, deadline, isRetry }: Journey,
    key: UsableKey
  ): Promise<Outcome> {
    const { throttle, end } = await governor.admit(key.user, purpose)
    if (throttle) return { throttle }
    let ending: Ending = { wasSent: false }
    try {
      const answer = await ask(request, key.token, { limits: limitsAt(now(), deadline), isRetry })
      ending = { answer, wasSent: true }
      return { answer }
    } catch (error) {
      ending = { wasSent: error instanceof ExchangeError && error.wasSent }
      throw error
    } finally {
      if (ending.wasSent) keys.use(key)
      await end(ending)
    }
  }

  /** Asks with one key after the other, until an answer is neither a refusal of the key nor of its user's quota. */
  async function walk(journey: Journey): Promise<Outcome> {
    const throttles = new Map<string, Throttle>()
    let refusal: CalendlyError | undefined
    for await (const { key, refused } of keys.walk(journey.deadline.endsAt)) {
      if (throttles.has(key.user)) continue
      const { answer, throttle } = await exchange(journey, key)
      if (throttle) {
        throttles.set(key.user, throttle)
        continue
      }
      if (answer.status < 300) return { answer }

      journey.isRetry = false
      const error = new CalendlyError(answer.status, readProblem(answer.body), answer)
      if (answer.status === 401) {
        refusal = error
        refused()
      } else if (answer.status === 429) {
        throttles.set(key.user, await governor.throttled(key.user, answer, journey.purpose, error))
      } else if (answer.status !== 403 || throttles.size === 0) {
        // That a stand-in may not do it is no answer: the quota of the one who may is.
        throw error
      }
    }
    const [throttle] = [...throttles.values()].sort((one, other) => one.waitMs - other.waitMs)
    if (throttle) return { throttle }
    throw new AppError('calendly_unavailable', 'Calendly accepts none of the keys', {
      cause: refusal,
      retryAfterMs: keys.retryAfterMs
    })
  }

  /** Waits for quota where there is none, as long as the deadline allows. */
  async function attempt(journey: Journey): Promise<Answer> {
    for (;;) {
      const { answer, throttle } = await walk(journey)
      if (answer) return answer
      const { error, waitMs, isHeld } = throttle
      if (!isHeld || waiting >= mostWaiting || now() + waitMs >= journey.deadline.waitBy) throw error
      waiting++
      await sleep(waitMs).finally(() => waiting--)
    }
  }

  /**
   * Asks Calendly within one deadline that covers keys, waiting and retries. Answers with a success, else throws
   * CalendlyError, ExchangeError, or AppError: `booking_quota_exhausted`, or `calendly_unavailable` where no key
   * is accepted, no quota is left or Calendly has been failing.
   */
  return function call(
    request: Request,
    { deadlines = usualDeadlines, startedAt = now(), ...purpose }: CallOptions
  ): Promise<Answer> {
    const { method } = request
    const deadline = startDeadline(deadlines, method, startedAt)
    return retry((number) => attempt({ request, purpose, deadline, isRetry: number > 1 }), {
      method,
      startBy: deadline.startBy
    })
  }
}

export type Call = ReturnType<typeof createCall>
