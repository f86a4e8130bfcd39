import { LRUCache } from 'lru-cache'

/** `at` is when the answer was asked for; `stale` that a newer one could not be had. */
export type Cached<T> = { value: T; at: number; stale: boolean }

type Options = {
  maxEntries: number
  /** How long an answer is served without asking again. */
  freshMs: number
  /** How old an answer may be served when asking again fails; 0 for never. */
  staleMs: number
  /** Whether a failure may be covered by an old answer. */
  mayCover: (error: unknown) => boolean
  now: () => number
}

/** Remembers what `load` found. Identical loads in flight are one. */
export function createCache<T extends object>({ maxEntries, freshMs, staleMs, mayCover, now }: Options) {
  const entries = new LRUCache<string, { value: T; at: number }>({ max: maxEntries })
  const inFlight = new Map<string, Promise<Cached<T>>>()

  async function reload(key: string, load: () => Promise<T>, isCurrent: () => boolean): Promise<Cached<T>> {
    const at = now()
    try {
      const value = await load()
      if (isCurrent()) entries.set(key, { value, at })
      return { value, at, stale: false }
    } catch (error) {
      const old = entries.get(key)
      if (old && mayCover(error) && now() - old.at <= staleMs) return { ...old, stale: true }
      if (!mayCover(error)) entries.delete(key)
      throw error
    }
  }

  return {
    /** With `fresh` neither a remembered answer nor a load already under way will do. */
    async get(key: string, load: () => Promise<T>, { fresh = false } = {}): Promise<Cached<T>> {
      const entry = entries.get(key)
      if (!fresh) {
        if (entry && now() - entry.at < freshMs) return { ...entry, stale: false }
        const underWay = inFlight.get(key)
        if (underWay) return underWay
      }
      const loading: Promise<Cached<T>> = reload(key, load, () => inFlight.get(key) === loading).finally(
        () => {
          if (inFlight.get(key) === loading) inFlight.delete(key)
        }
      )
      inFlight.set(key, loading)
      return loading
    },

    /** Forgets every key that starts so, and what is being loaded for it. */
    drop(prefix: string) {
      for (const store of [entries, inFlight]) {
        for (const key of [...store.keys()]) {
          if (key.startsWith(prefix)) store.delete(key)
        }
      }
    }
  }
}
