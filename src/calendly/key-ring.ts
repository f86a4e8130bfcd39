import { isUsable, type KeySource, type LiveKey, type Use } from './keys.ts'
import type { Log } from './log.ts'

/** `suspect`: refused once and being verified. `foreign`: another organization's. */
export type Health = 'ok' | 'suspect' | 'invalid' | 'foreign'

/** What this process knows of a key. It outlives the requests that use it, and is theirs to look at. */
export type Entry = {
  key: LiveKey
  health: Health
  /** Number of the decision, made here, that gave it this health; 0 where the source alone did. */
  decidedAt: number
  /** Found invalid, and the source could not be told yet. */
  isUntold: boolean
}

type Deps = {
  source: Pick<KeySource, 'load' | 'refused' | 'used'>
  /** Another user's key is now the first that works. */
  onOwnerChange: () => void
  now: () => number
  log: Log
}

/** The keys in their order, kept in step with their source. A source that is away leaves them as they were. */
export function createKeyRing({ source, onOwnerChange, now, log }: Deps) {
  let entries: readonly Entry[] = []
  let isLoaded = false
  let decisions = 0
  let owner: string | undefined
  let uses = new Map<string, Use>()

  function decide(entry: Entry, health: Health): void {
    entry.health = health
    entry.decidedAt = ++decisions
    watchOwner()
  }

  function watchOwner(): void {
    const first = entries.find(({ key, health }) => health === 'ok' && key.user !== undefined)?.key.user
    if (first === undefined) return
    if (owner !== undefined && owner !== first) onOwnerChange()
    owner = first
  }

  function count(fingerprint: string, { count, lastUsedAt }: Use): void {
    const before = uses.get(fingerprint) ?? { count: 0, lastUsedAt: 0 }
    uses.set(fingerprint, {
      count: before.count + count,
      lastUsedAt: Math.max(before.lastUsedAt, lastUsedAt)
    })
  }

  async function tellUses(): Promise<void> {
    if (uses.size === 0) return
    const told = uses
    uses = new Map()
    await source.used(told).catch((error) => {
      for (const [fingerprint, use] of told) count(fingerprint, use)
      throw error
    })
  }

  async function tellRefusal(entry: Entry): Promise<void> {
    entry.isUntold = true
    await source.refused(entry.key)
    entry.isUntold = false
  }

  function merge(key: LiveKey, asOf: number): Entry {
    const entry = entries.find((known) => known.key.fingerprint === key.fingerprint)
    if (!entry) return { key, health: key.isInvalid ? 'invalid' : 'ok', decidedAt: 0, isUntold: false }
    // What was decided here while the source was read is news to it.
    if (entry.decidedAt > asOf) return entry
    entry.key = key
    if (key.isInvalid) entry.health = 'invalid'
    else if (entry.health === 'invalid' || (entry.health === 'foreign' && isUsable(key))) entry.health = 'ok'
    return entry
  }

  async function synchronize(): Promise<void> {
    const asOf = decisions
    try {
      await tellUses()
      for (const entry of entries) if (entry.isUntold) await tellRefusal(entry)
      const keys = await source.load()
      entries = keys.map((key) => merge(key, asOf))
      isLoaded = true
      watchOwner()
    } catch (error) {
      log.warn({ err: error }, 'calendly keys not synchronized')
    }
  }

  return {
    entries: () => entries,
    isLoaded: () => isLoaded,
    /** How many there have been: what is decided from now on is numbered higher. */
    decisions: () => decisions,
    decide,
    tellRefusal,
    /** Notes one call made with a key, to be told with the next synchronization. */
    use: ({ fingerprint }: LiveKey) => count(fingerprint, { count: 1, lastUsedAt: now() }),
    /** Tells the source what was used and found out, then follows it. Never rejects. */
    sync: oneAfterAnother(synchronize)
  }
}

export type KeyRing = ReturnType<typeof createKeyRing>

/** Runs `work` once at a time. Whoever asks during a run gets the next one, which sees what has changed since. */
function oneAfterAnother(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  return function run(): Promise<void> {
    if (running) {
      next ??= running.then(() => {
        next = undefined
        return run()
      })
      return next
    }
    running = work().finally(() => {
      running = undefined
    })
    return running
  }
}
