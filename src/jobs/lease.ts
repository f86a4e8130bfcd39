import { AppError } from '../core/errors.ts'
import type { System } from '../core/system.ts'

/** Leases by name, so that of all replicas one works at a time. */
export type Leases = {
  take: (name: string, holder: string, ttlMs: number) => Promise<number | undefined>
  renew: (name: string, epoch: number, ttlMs: number) => Promise<boolean>
  release: (name: string, epoch: number) => Promise<void>
}

type Options = {
  name: string
  /** How long a dead replica keeps the others waiting. */
  leaseMs?: number
  leases: Leases
  system: Pick<System, 'now' | 'sleep' | 'id'>
  log: { error: (fields: object, phrase: string) => void }
}

/** Work under one lease, which is renewed meanwhile. */
export function createLease({ name, leaseMs = 30_000, leases, system, log }: Options) {
  /** Undefined when somebody else holds it. `work` is aborted when it goes to somebody else. */
  async function tryRun<T>(
    holder: string,
    work: AbortController,
    run: (epoch: number) => Promise<T>
  ): Promise<{ result: T } | undefined> {
    const epoch = await leases.take(name, holder, leaseMs)
    if (epoch === undefined) return undefined
    const done = new AbortController()
    const renewing = renew(epoch, work, done.signal)
    try {
      return { result: await run(epoch) }
    } finally {
      done.abort()
      await renewing
      await leases.release(name, epoch)
    }
  }

  async function renew(epoch: number, work: AbortController, done: AbortSignal): Promise<void> {
    await sleep(leaseMs / 3, done)
    while (!done.aborted) {
      try {
        if (!(await leases.renew(name, epoch, leaseMs))) return work.abort()
      } catch (error) {
        log.error({ err: error, job: name }, 'lease not renewed')
      }
      await sleep(leaseMs / 3, done)
    }
  }

  /** Resolves early when the signal fires. */
  async function sleep(ms: number, signal: AbortSignal): Promise<void> {
    await system.sleep(ms, signal).catch((error) => {
      if (!signal.aborted) throw error
    })
  }

  /** As soon as nobody else holds it. Throws `overloaded` when that takes longer than `patienceMs`. */
  async function runInTurn<T>(run: (epoch: number) => Promise<T>, patienceMs = 15_000): Promise<T> {
    const holder = system.id()
    const latest = system.now() + patienceMs
    for (;;) {
      const ran = await tryRun(holder, new AbortController(), run)
      if (ran) return ran.result
      if (system.now() >= latest) {
        throw new AppError('overloaded', 'Somebody else is at it', { retryAfterMs: 5_000 })
      }
      await system.sleep(100)
    }
  }

  return { tryRun, runInTurn }
}
