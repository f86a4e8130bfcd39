import { LRUCache } from 'lru-cache'
import { type Counts, createFreshness, type Entry } from './freshness.ts'

type Options = {
  maxEntries: number
  /** Over all entries, the length of their JSON. */
  maxBytes: number
  now: () => number
}

/** What Calendly answered, all kinds within the same limits: what was not used for longest goes first. */
export function createCache({ maxEntries, maxBytes, now }: Options) {
  const kinds: Record<string, Counts> = {}
  let evicted = 0
  // By the entry itself: what has been taken out may still be written to, and nobody will see it.
  const places = new LRUCache<object, { leave: () => void }>({
    max: maxEntries,
    maxSize: maxBytes,
    noDisposeOnSet: true,
    dispose: ({ leave }, _entry, reason) => {
      leave()
      if (reason === 'evict') evicted++
    }
  })

  function resize(entry: object, bytes: number): void {
    const place = places.peek(entry)
    // A copy, since lru-cache leaves the size of an unchanged value as it was.
    if (place) places.set(entry, { ...place }, { size: bytes })
  }

  /** Entries that are dropped together. */
  function createShelf<K, T>() {
    const entries = new Map<K, Entry<T>>()
    return {
      /** The entry of that key, an empty one if there is none. */
      at(key: K): Entry<T> {
        const known = entries.get(key)
        if (known) {
          places.get(known)
          return known
        }
        const entry = {}
        entries.set(key, entry)
        places.set(entry, { leave: () => entries.delete(key) }, { size: 1 })
        return entry
      },

      /** Forgets it, and what is being loaded for it. */
      forget(key: K): void {
        const known = entries.get(key)
        if (known) places.delete(known)
      },

      /** Forgets them all, and what is being loaded for them. */
      drop(): void {
        for (const entry of entries.values()) places.delete(entry)
      }
    }
  }

  function kind(name: string, freshMs: number) {
    const counts = { hits: 0, stale: 0, misses: 0, coalesced: 0, negative: 0 }
    kinds[name] = counts
    return { ...createFreshness({ freshMs, now, counts, resize }), createShelf }
  }

  return {
    /** A kind of answers, on shelves of its own. */
    kind,

    /** A kind whose answers are all on one shelf. Throws what `load` throws. */
    remember<T extends object>(name: string, freshMs: number) {
      const { read } = kind(name, freshMs)
      const shelf = createShelf<string, T>()
      return {
        async get(key: string, load: () => Promise<T>): Promise<T> {
          const at = now()
          const { value } = await read(shelf.at(key), async () => ({ value: await load(), at }))
          return value
        },
        /** Not an answer older than that, unless asking fails. */
        async renew(key: string, load: () => Promise<T>, mostAgeMs: number): Promise<T> {
          const entry = shelf.at(key)
          const at = now()
          if (entry.found && at - entry.found.at < mostAgeMs) return entry.found.value
          const renewed = entry.loading ?? read(entry, async () => ({ value: await load(), at }), true)
          return (await renewed).value
        },
        forget: shelf.forget,
        drop: shelf.drop
      }
    },

    /** Forgets everything, and what is being loaded. */
    forget: () => places.clear(),

    report: () => ({ entries: places.size, bytes: places.calculatedSize, evicted, kinds })
  }
}

export type Cache = ReturnType<typeof createCache>
