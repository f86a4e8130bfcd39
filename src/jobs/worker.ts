import type { System } from '../core/system.ts'

type Options = {
  name: string
  /** Does one piece of work; false when there is none. */
  work: () => Promise<boolean>
  /** How long to rest when there is none, unless poked. */
  intervalMs: number
  /** How many pieces at once. */
  concurrency?: number
  system: Pick<System, 'sleep'>
  log: { error: (fields: object, phrase: string) => void }
}

export type Worker = {
  /** There is work now. */
  poke: () => void
  /** Resolves when the pieces in hand are done. */
  stop: () => Promise<void>
}

/** Works while there is work, on every replica: whoever takes a row first has it. */
export function startWorker({ name, work, intervalMs, concurrency = 1, system, log }: Options): Worker {
  const stopping = new AbortController()
  let poked = new AbortController()

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      // Taken before the work, so that a poke during it is not missed.
      if (poked.signal.aborted) poked = new AbortController()
      const wake = AbortSignal.any([stopping.signal, poked.signal])
      const didWork = await work().catch((error: unknown) => {
        log.error({ err: error, job: name }, 'job failed')
        return false
      })
      if (!didWork) await system.sleep(intervalMs, wake).catch(() => {})
    }
  }

  const runs = Array.from({ length: concurrency }, run)
  return {
    poke() {
      if (!poked.signal.aborted) poked.abort()
    },
    async stop() {
      stopping.abort()
      await Promise.all(runs)
    }
  }
}
