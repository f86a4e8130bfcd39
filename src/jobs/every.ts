import type { System } from '../core/system.ts'

/** Leases by name, so that of all replicas one works at a time. */
type Leases = {
  take: (name: string, holder: string, ttlMs: number) => Promise<number | undefined>
  renew: (name: string, epoch: number, ttlMs: number) => Promise<boolean>
  release: (name: string, epoch: number) => Promise<void>
}

type Options = {
  name: string
  intervalMs: number
  /** Every write of it checks `epoch`. The signal fires when the lease is lost and when the service stops. */
  run: (epoch: number, signal: AbortSignal) => Promise<void>
  /** How long a dead replica keeps the others waiting. */
  leaseMs?: number
  leases: Leases
  system: System
  log: { error: (fields: object, phrase: string) => void }
}

export type Job = {
  /** Runs it now, or once more right after the run in progress. */
  poke: () => void
  /** Resolves when the run in progress has ended and its lease is released. */
  stop: () => Promise<void>
}

/** Starts work that nobody asks for: at once, then every interval, ±10 % so that replicas spread out. */
export function every({ name, intervalMs, run, leaseMs = 30_000, leases, system, log }: Options): Job {
  const holder = system.id()
  let isStopping = false
  let pause = new AbortController()
  let work = new AbortController()

  const loop = async () => {
    while (!isStopping) {
      // Made before the run, so that a poke during it cuts the pause after it.
      pause = new AbortController()
      work = new AbortController()
      await runOnce(work.signal).catch((error) => log.error({ err: error, job: name }, 'job failed'))
      await sleep(intervalMs * (0.9 + 0.2 * system.random()), pause.signal)
    }
  }

  const runOnce = async (signal: AbortSignal) => {
    const epoch = await leases.take(name, holder, leaseMs)
    if (epoch === undefined) return
    const done = new AbortController()
    const renewing = renew(epoch, done.signal)
    try {
      if (!signal.aborted) await run(epoch, signal)
    } finally {
      done.abort()
      await renewing
      await leases.release(name, epoch)
    }
  }

  const renew = async (epoch: number, done: AbortSignal) => {
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
  const sleep = async (ms: number, signal: AbortSignal) => {
    await system.sleep(ms, signal).catch((error) => {
      if (!signal.aborted) throw error
    })
  }

  const finished = loop()
  return {
    poke: () => pause.abort(),
    stop: async () => {
      isStopping = true
      work.abort()
      pause.abort()
      await finished
    }
  }
}
