import rateLimitPlugin from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Redis } from 'ioredis'
import { LRUCache } from 'lru-cache'
import { AppError } from '../core/errors.ts'
import type { System } from '../core/system.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** False for what probes ask: they are not to be turned away. Of `forgeries` only those count that are told of. */
    limited?: false | 'forgeries'
  }
  interface FastifyRequest {
    quotas: Quota[]
  }
}

type Quota = { policy: 'address' | 'caller'; limit: number; remaining: number; resetSeconds: number }

type Options = {
  perAddressPerMinute: number
  perCallerPerMinute: number
  /** Shared by replicas where there is one. */
  redisUrl?: string | undefined
  system: Pick<System, 'now'>
}

/** 0 turns a limit off. Each is counted by @fastify/rate-limit; the answer's fields are the IETF's structured ones. */
export const rateLimit = fp<Options>(
  async (app: FastifyInstance, { perAddressPerMinute, perCallerPerMinute, redisUrl, system }) => {
    const redis = redisUrl === undefined ? undefined : openRedis(app, redisUrl)
    await app.register(rateLimitPlugin, {
      global: false,
      // A Redis that is away must not take the service with it.
      skipOnError: true,
      ...(redis && { redis })
    })
    app.decorateRequest('quotas')
    const limits = {
      address: createLimit('address', perAddressPerMinute, ({ ip }) => ip),
      caller: createLimit('caller', perCallerPerMinute, ({ caller }) =>
        caller ? `${caller.tenantId}/${caller.name}` : ''
      )
    }
    const forgeries = createForgeryLimit(perAddressPerMinute)

    app.addHook('onRequest', (request, _reply, done) => {
      request.quotas = []
      const { limited } = request.routeOptions.config
      if (limited === false) done()
      else if (limited === 'forgeries') done(forgeries.refusal(request))
      else limits.address(request).then(() => done(), done)
    })
    app.decorate('limitCaller', limits.caller)
    app.decorate('countForgery', forgeries.count)
    app.addHook('onSend', (request, reply, payload, done) => {
      describe(request.quotas ?? [], reply)
      done(null, payload)
    })

    function createLimit(policy: Quota['policy'], limit: number, keyOf: (request: FastifyRequest) => string) {
      if (limit === 0) return async () => {}
      const check = app.createRateLimit({
        max: limit,
        timeWindow: 60_000,
        keyGenerator: (request: FastifyRequest) => `${policy}:${keyOf(request)}`
      })
      return async (request: FastifyRequest) => {
        const state = await check(request)
        if (state.isAllowed) return
        const { remaining, ttl, ttlInSeconds: resetSeconds } = state
        request.quotas.push({ policy, limit, remaining, resetSeconds })
        if (state.isExceeded) throw exceeded(policy, limit, ttl)
      }
    }

    /**
     * What is genuine never counts and asks nobody: each replica remembers for itself which addresses it has seen use up
     * what all replicas count together.
     */
    function createForgeryLimit(limit: number) {
      const policy = 'address'
      const refusedUntil = new LRUCache<string, number>({ max: 10_000 })
      const check = app.createRateLimit({
        max: limit,
        timeWindow: 60_000,
        keyGenerator: ({ ip }: FastifyRequest) => `forgeries:${ip}`
      })
      return {
        /** Asked before the body is read. */
        refusal(request: FastifyRequest): AppError | undefined {
          const leftMs = (refusedUntil.get(request.ip) ?? 0) - system.now()
          if (leftMs <= 0) return undefined
          request.quotas.push({ policy, limit, remaining: 0, resetSeconds: Math.ceil(leftMs / 1000) })
          return exceeded(policy, limit, leftMs)
        },
        async count(request: FastifyRequest): Promise<void> {
          if (limit === 0) return
          const state = await check(request)
          if (state.isAllowed) return
          const { remaining, ttl, ttlInSeconds: resetSeconds } = state
          request.quotas.push({ policy, limit, remaining, resetSeconds })
          if (remaining === 0) refusedUntil.set(request.ip, system.now() + ttl)
        }
      }
    }
  },
  { name: 'rate-limit' }
)

function exceeded(policy: Quota['policy'], limit: number, retryAfterMs: number): AppError {
  return new AppError('rate_limited', `Over ${limit} requests a minute for this ${policy}.`, { retryAfterMs })
}

/** `RateLimit` and `RateLimit-Policy` as in draft-ietf-httpapi-ratelimit-headers-10. */
function describe(quotas: readonly Quota[], reply: FastifyReply): void {
  if (quotas.length === 0) return
  reply.header(
    'ratelimit-policy',
    quotas.map(({ policy, limit }) => `"${policy}";q=${limit};w=60`).join(', ')
  )
  reply.header(
    'ratelimit',
    quotas
      .map(({ policy, remaining, resetSeconds }) => `"${policy}";r=${remaining};t=${resetSeconds}`)
      .join(', ')
  )
}

function openRedis(app: FastifyInstance, url: string): Redis {
  const redis = new Redis(url, { connectTimeout: 500, maxRetriesPerRequest: 1, enableOfflineQueue: false })
  redis.on('error', (error) => app.log.warn({ err: error }, 'redis is away'))
  app.addHook('onClose', async () => redis.disconnect())
  return redis
}

declare module 'fastify' {
  interface FastifyInstance {
    limitCaller: (request: FastifyRequest) => Promise<void>
    /** A forgery has come, and counts against its address. */
    countForgery: (request: FastifyRequest) => Promise<void>
  }
}
