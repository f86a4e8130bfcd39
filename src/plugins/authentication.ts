import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { LRUCache } from 'lru-cache'
import { type Caller, type Callers, hashOf, hasScope, type Scope } from '../core/callers.ts'
import { AppError } from '../core/errors.ts'
import type { System } from '../core/system.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; there on every route that demands a scope. */
    caller: Caller | undefined
  }
  interface FastifyContextConfig {
    /** What the caller needs; `anyone` needs nothing but is told apart, `public` is not even looked at. */
    scope?: Scope | 'anyone' | 'public'
  }
}

/** A key counts for this long after it was looked up, so it is dead everywhere within 5 s of its revocation. */
const rememberedMs = 2_000

type Options = { callers: Callers; system: Pick<System, 'now'> }

/** Deny by default: a route without a scope cannot be registered, and a scope is asked for before the body is read. */
export const authentication = fp<Options>(
  async (app: FastifyInstance, { callers, system }) => {
    const known = new LRUCache<string, Caller>({
      max: 1_000,
      ttl: rememberedMs,
      perf: system,
      ttlResolution: 0
    })
    app.decorateRequest('caller', undefined)

    app.addHook('onRoute', ({ url, method, config }) => {
      if (config?.scope === undefined) throw new Error(`${String(method)} ${url} names no scope`)
    })

    app.addHook('onRequest', (request, _reply, done) => {
      if (request.routeOptions.config.scope === 'public') done()
      else admit(request).then(() => done(), done)
    })

    async function admit(request: FastifyRequest): Promise<void> {
      const scope = request.routeOptions.config.scope
      if (scope === 'anyone') {
        // Answered also while the database, which knows the keys, is away.
        request.caller = await callerOf(request).catch(() => undefined)
        return
      }
      request.caller = await callerOf(request)
      if (!request.caller) throw new AppError('unauthenticated')
      if (scope === undefined || scope === 'public' || !hasScope(request.caller, scope)) {
        throw new AppError('insufficient_scope', `The caller key needs the scope ${scope}.`)
      }
    }

    async function callerOf({ headers }: FastifyRequest): Promise<Caller | undefined> {
      const key = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(headers.authorization ?? '')?.[1]
      if (key === undefined) return undefined
      const id = hashOf(key).toString('base64')
      const remembered = known.get(id)
      if (remembered) return remembered
      const caller = await callers.authenticate(key)
      if (caller) known.set(id, caller)
      return caller
    }
  },
  { name: 'authentication' }
)
