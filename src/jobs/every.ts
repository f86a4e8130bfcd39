import type { System } from '../core/system.ts'
import { createLease, type Leases } from './lease.ts'

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
export function every({ name, intervalMs, run, leaseMs, leases, system, log }: Options): Job {
  const holder = system.id()
  const { tryRun } = createLease({ name, leases, system, log, ...(leaseMs !== undefined && { leaseMs }) })
  let isStopping = false
  let pause = new AbortController()
  let work = new AbortController()

  const loop = async () => {
    while (!isStopping) {
      // Made before the run, so that a poke during it cuts the pause after it.
      pause = new AbortController()
      work = new AbortController()
      await runOnce(work).catch((error) => log.error({ err: error, job: name }, 'job failed'))
      await sleep(intervalMs * (0.9 + 0.2 * system.random()), pause.signal)
    }
  }

  const runOnce = async (work: AbortController) => {
    await tryRun(holder, work, async (epoch) => {
      if (!work.signal.aborted) await run(epoch, work.signal)
    })
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
