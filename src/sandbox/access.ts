import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Current } from './current.ts'
import { ApiError } from './errors.ts'
import type { Token, User } from './records.ts'
import { isGranted, scopeOf } from './scopes.ts'

const minuteMs = 60_000

/** The user whose token the request carries. */
export const callerOf = (request: FastifyRequest): User => request.getDecorator<Token>('token').user

export const isAdmin = ({ role }: User) => role !== 'user'

export function tokenOf({ world }: Current, request: FastifyRequest): Token | undefined {
  const value = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
  return world.tokens.find((token) => token.value === value)
}

/** Asks every request of the scope for a live token, and counts it. */
export function requireToken(app: FastifyInstance, current: Current) {
  const count = createCounter(current)

  app.addHook('onRequest', async (request, reply) => {
    // Calendly's edge turns away clients that do not say what they are.
    if (!request.headers['user-agent']) {
      const violations = ['user-agent is missing']
      throw new ApiError(403, { message: 'A User-Agent header is required', violations })
    }
    const token = tokenOf(current, request)
    if (!token) throw new ApiError(401)
    if (token.revoked) throw new ApiError(401, { message: 'The access token was revoked' })
    request.setDecorator('token', token)
    reply.headers(count(token.user))
    const scope = scopeOf(request.method, request.url)
    if (token.scopes && scope && !isGranted(token.scopes, scope)) {
      throw new ApiError(403, {
        message: "This operation requires the scopes listed in the 'required_scopes' array.",
        requiredScopes: [scope]
      })
    }
  })
}

/** The quota of a user's minute, told but not enforced. */
function createCounter({ clock }: Current) {
  const windows = new WeakMap<User, { endsAt: number; used: number }>()

  return (user: User) => {
    const now = clock.now()
    const known = windows.get(user)
    const window = known && now < known.endsAt ? known : { endsAt: now + minuteMs, used: 0 }
    windows.set(user, window)
    window.used += 1
    const limit = user.organization.stage === 'free' ? 50 : 500
    return {
      'x-ratelimit-limit': limit,
      'x-ratelimit-remaining': Math.max(0, limit - window.used),
      'x-ratelimit-reset': Math.ceil((window.endsAt - now) / 1000)
    }
  }
}
