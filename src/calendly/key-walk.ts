import { AppError } from '../core/errors.ts'
import { within } from './deadline.ts'
import { createKeyRing, type Entry } from './key-ring.ts'
import { createKeyVerifier } from './key-verifier.ts'
import { type Identity, isUsable, type KeyReport, type KeySource, type UsableKey } from './keys.ts'
import type { Log } from './log.ts'

/** A key handed to one request, to be told when Calendly answered it with a 401. */
export type Pass = { key: UsableKey; refused: () => void }

type Deps = {
  source: KeySource
  identify: (token: string) => Promise<Identity>
  probeMs: number
  isResting: (user: string) => boolean
  onChange: () => void
  onOwnerChange: () => void
  now: () => number
  log: Log
}

// While no key works, somebody is waiting for one that does.
const urgentProbeMs = 10_000

const works = ({ health }: Entry) => health === 'ok' || health === 'suspect'

export function createKeys({ source, identify, probeMs, isResting, now, log, ...on }: Deps) {
  const ring = createKeyRing({ source, onOwnerChange: on.onOwnerChange, now, log })
  const verify = createKeyVerifier({ ring, source, identify, onChange: on.onChange, log })
  const urgentMs = Math.min(urgentProbeMs, probeMs)

  function pass(entry: Entry, key: UsableKey, refusals: Set<Entry>): Pass {
    const asOf = ring.decisions()
    return {
      key,
      refused() {
        refusals.add(entry)
        // Others may have met the same refusal before, and it may be known by now what it was worth.
        if (entry.decidedAt > asOf || !works(entry)) return
        ring.decide(entry, 'suspect')
        void verify(entry)
      }
    }
  }

  function reportOf(entry: Entry): KeyReport {
    const { name, lastFour, user } = entry.key
    if (!works(entry)) return { name, lastFour, health: 'invalid' }
    return { name, lastFour, health: user !== undefined && isResting(user) ? 'cooling' : 'ok' }
  }

  return {
    /**
     * The keys for one request, in their order, for as long as it wants another: first those that work, then
     * those in doubt that turned out to be fine. A walk in progress keeps the keys that it began with. Throws
     * AppError `calendly_unavailable` where there is none, ExchangeError when `endsAt` passes.
     */
    async *walk(endsAt: number): AsyncGenerator<Pass, void, void> {
      const inTime = <T>(work: Promise<T>) => within(endsAt - now(), work)
      if (!ring.isLoaded()) await inTime(ring.sync())
      if (!ring.isLoaded()) throw new AppError('calendly_unavailable', 'The Calendly keys cannot be read')
      const own = ring.entries()
      if (own.length === 0) throw new AppError('calendly_unavailable', 'No Calendly credential is configured')

      const tried = new Set<Entry>()
      const refusals = new Set<Entry>()
      for (const entry of own) {
        if (entry.health === 'ok' && !isUsable(entry.key)) await inTime(verify(entry))
        if (entry.health !== 'ok' || !isUsable(entry.key)) continue
        tried.add(entry)
        yield pass(entry, entry.key, refusals)
      }
      for (const entry of own) {
        const wasRefused = refusals.has(entry)
        if (!works(entry) || !isUsable(entry.key) || (tried.has(entry) && !wasRefused)) continue
        const verdict = entry.health === 'ok' ? 'fine' : await inTime(verify(entry))
        if (verdict === 'fine' || (verdict === 'unknown' && !wasRefused)) {
          yield pass(entry, entry.key, refusals)
        }
      }
    },

    use: ring.use,
    sync: ring.sync,

    /** Verifies what is new or in doubt, and probes invalid keys that are due. */
    async tend(): Promise<void> {
      const entries = ring.entries()
      const intervalMs = entries.some(works) ? probeMs : urgentMs
      const isDue = async (entry: Entry) => {
        if (works(entry)) return entry.health === 'suspect' || !isUsable(entry.key)
        return source.mayProbe(entry.key, intervalMs).catch(() => false)
      }
      await Promise.all(entries.map(async (entry) => ((await isDue(entry)) ? verify(entry) : undefined)))
    },

    /** How soon it may be worth asking again after every key was refused. */
    retryAfterMs: urgentMs,

    users: () => [...new Set(ring.entries().flatMap(({ key }) => key.user ?? []))],

    report: () => ring.entries().map(reportOf)
  }
}

export type Keys = ReturnType<typeof createKeys>
