import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Current } from './current.ts'
import { ApiError } from './errors.ts'
import type { Entry } from './journal.ts'
import type { Quotas } from './quotas.ts'
import type { Token, User } from './records.ts'
import { isGranted, scopeOf } from './scopes.ts'

/** The user whose token the request carries. */
export const callerOf = (request: FastifyRequest): User => request.getDecorator<Token>('token').user

export const isAdmin = ({ role }: User) => role !== 'user'

export function tokenOf({ world }: Current, request: FastifyRequest): Token | undefined {
  const value = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
  return world.tokens.find((token) => token.value === value)
}

/** Asks every request of the scope for a live token, and its user's quota for a call. */
export function requireToken(
  app: FastifyInstance,
  { current, quotas }: { current: Current; quotas: Quotas }
) {
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

    const { method, path } = request.getDecorator<Entry>('entry')
    const quota = quotas.take(token.user, method === 'POST' && path === '/invitees')
    reply.headers({
      'x-ratelimit-limit': quota.limit,
      'x-ratelimit-remaining': quota.remaining,
      'x-ratelimit-reset': Math.ceil(quota.resetMs / 1000)
    })
    if (!quota.isGranted) return reply.code(429).send({})

    const scope = scopeOf(method, request.url)
    if (token.scopes && scope && !isGranted(token.scopes, scope)) {
      throw new ApiError(403, {
        message: "This operation requires the scopes listed in the 'required_scopes' array.",
        requiredScopes: [scope]
      })
    }
  })
}
