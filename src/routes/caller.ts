import type { FastifyRequest } from 'fastify'
import type { Caller } from '../core/callers.ts'
import type { Execution } from '../core/idempotency.ts'

/** The caller of a route that demands a scope, and so has one. */
export function callerOf({ caller }: Pick<FastifyRequest, 'caller'>): Caller {
  if (!caller) throw new Error('this route demands no scope')
  return caller
}

/** One run under the key of a route that takes an `Idempotency-Key`. */
export function executionOf({ execution }: Pick<FastifyRequest, 'execution'>): Execution {
  if (!execution) throw new Error('this route takes no idempotency key')
  return execution
}
