import type { Breaker } from './breaker.ts'
import { ExchangeError } from './errors.ts'
import type { Limits } from './exchange.ts'
import type { Log } from './log.ts'
import { type ErrorClass, isFault, type Meter } from './meter.ts'
import type { Answer, Request, Send } from './send.ts'

type Deps = {
  send: Send
  breakers: { reads: Breaker; writes: Breaker }
  meter: Meter
  now: () => number
  log: Log
}

/** One exchange with Calendly, let through by its breaker, measured and logged. */
export function createAsk({ send, breakers, meter, now, log }: Deps) {
  /**
   * Answers with whatever Calendly says, refusals too. Throws ExchangeError, or AppError `calendly_unavailable`
   * where the breaker keeps it from being sent.
   */
  return async function ask(
    request: Request,
    token: string,
    { limits, isRetry }: { limits: Limits; isRetry: boolean }
  ): Promise<Answer> {
    const endpoint = endpointOf(request)
    const leave = breakers[request.method === 'GET' ? 'reads' : 'writes'].enter()
    const startedAt = now()
    let isAnswered: boolean | undefined = false
    let errorClass: ErrorClass | undefined
    try {
      const answer = await send(request, token, limits)
      const { status, requestId } = answer
      errorClass = classOf(status)
      isAnswered = errorClass !== 'server'
      log[isFault(errorClass) ? 'warn' : 'debug']({ endpoint, status, requestId }, 'calendly answered')
      return answer
    } catch (error) {
      errorClass = error instanceof ExchangeError ? error.reason : 'network'
      if (errorClass === 'unsent') isAnswered = undefined
      log.warn({ endpoint, err: error }, 'calendly did not answer')
      throw error
    } finally {
      leave(isAnswered)
      meter.record({ endpoint, startedAt, errorClass, isRetry })
    }
  }
}

export type Ask = ReturnType<typeof createAsk>

const classes: Readonly<Record<number, ErrorClass>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  408: 'timeout',
  429: 'rate_limited'
}

function classOf(status: number): ErrorClass | undefined {
  if (status >= 500) return 'server'
  if (status >= 400) return classes[status] ?? 'refused'
  return status >= 300 ? 'unreadable' : undefined
}

/** The path with its ids masked: collections and ids take turns in Calendly's paths. */
function endpointOf({ method, path }: Request): string {
  const segments = path.split('/').slice(1)
  return `${method} /${segments.map((segment, i) => (i % 2 && segment !== 'me' ? '{uuid}' : segment)).join('/')}`
}
