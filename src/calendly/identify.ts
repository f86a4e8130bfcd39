import type { Ask } from './ask.ts'
import { limitsAt, startDeadline, usualDeadlines } from './deadline.ts'
import { CalendlyError } from './errors.ts'
import type { Identity } from './keys.ts'
import { readable, rethrow } from './reads.ts'
import type { Retry } from './retry.ts'
import { readProblem } from './wire.ts'
import { readUser } from './wire-resources.ts'

type Deps = { ask: Ask; retry: Retry; now: () => number }

/** Asks Calendly whose a token is. Throws AppError `calendly_unavailable` where it does not say. */
export function createIdentify({ ask, retry, now }: Deps) {
  return async function identify(token: string): Promise<Identity> {
    const deadline = startDeadline(usualDeadlines, 'GET', now())
    const answer = await retry(
      async (attempt) => {
        const reply = await ask({ method: 'GET', path: '/users/me' }, token, {
          limits: limitsAt(now(), deadline),
          isRetry: attempt > 1
        })
        if (reply.status === 401 || reply.status < 300) return reply
        throw new CalendlyError(reply.status, readProblem(reply.body), reply)
      },
      { method: 'GET', startBy: deadline.startBy }
    ).catch(rethrow)
    if (answer.status === 401) return { kind: 'refused' }
    const { uri, organization } = readable(readUser(answer.body), 'GET /users/me')
    return { kind: 'accepted', user: uri, organization }
  }
}
