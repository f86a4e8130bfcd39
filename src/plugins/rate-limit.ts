import rateLimitPlugin from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Redis } from 'ioredis'
import { AppError } from '../core/errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** False for what probes and Calendly ask: they are not to be turned away. */
    limited?: false
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
}

/** 0 turns a limit off. Each is counted by @fastify/rate-limit; the answer's fields are the IETF's structured ones. */
export const rateLimit = fp<Options>(
  async (app: FastifyInstance, { perAddressPerMinute, perCallerPerMinute, redisUrl }) => {
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

    app.addHook('onRequest', async (request) => {
      request.quotas = []
      if (request.routeOptions.config.limited !== false) await limits.address(request)
    })
    app.decorate('limitCaller', limits.caller)
    app.addHook('onSend', async (request, reply) => describe(request.quotas ?? [], reply))

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
        request.quotas.push({
          policy,
          limit,
          remaining: state.remaining,
          resetSeconds: state.ttlInSeconds
        })
        if (state.isExceeded) {
          throw new AppError('rate_limited', `Over ${limit} requests a minute for this ${policy}.`, {
            retryAfterMs: state.ttl
          })
        }
      }
    }
  },
  { name: 'rate-limit' }
)

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
  }
}
