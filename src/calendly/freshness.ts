import { AppError } from '../core/errors.ts'
import { statusOf } from './errors.ts'

// Ages count from the moment an answer was asked for.
const revalidateMs = 2 * 60_000
const coverMs = 10 * 60_000
const failureMs = 1_000

/** `at` is when it was asked for. */
export type Found<T> = { value: T; at: number }

/** `stale`: older than its kind is fresh. */
export type Cached<T> = Found<T> & { stale: boolean }

export type Counts = { hits: number; stale: number; misses: number; coalesced: number; negative: number }

/** One thing that is asked for: what was found last, how asking failed last, and what is under way. */
export type Entry<T> = {
  found?: Cached<T> | undefined
  failure?: { error: unknown; at: number; lastsMs: number } | undefined
  loading?: Promise<Cached<T>> | undefined
}

type Load<T> = () => Promise<Found<T>>

type Options = {
  /** With 0 an answer is served again only where asking fails. */
  freshMs: number
  now: () => number
  counts: Counts
  resize: (entry: object, bytes: number) => void
}

/** How the entries of one kind age: fresh, then stale while a newer answer is asked for, then a cover for failures. */
export function createFreshness({ freshMs, now, counts, resize }: Options) {
  const staleMs = freshMs > 0 ? revalidateMs : 0

  /** A clock that was set back makes nothing young. */
  function isWithin(limitMs: number, { at }: { at: number }): boolean {
    const ageMs = now() - at
    return ageMs >= 0 && ageMs < limitMs
  }

  function start<T>(entry: Entry<T>, load: Load<T>): Promise<Cached<T>> {
    const loading: Promise<Cached<T>> = load().then(
      (found) => {
        const cached = { ...found, stale: false }
        // Asked for again meanwhile: the later answer is the one to remember.
        if (entry.loading === loading) keep(entry, cached)
        return cached
      },
      (error) => {
        if (entry.loading === loading) fail(entry, error)
        return cover(entry, error)
      }
    )
    entry.loading = loading
    // Whoever waits hears of a failure; in the background nobody does, and the call itself is logged.
    loading.catch(() => {})
    return loading
  }

  function keep<T>(entry: Entry<T>, found: Cached<T>): void {
    entry.found = found
    entry.failure = undefined
    entry.loading = undefined
    resize(entry, JSON.stringify(found.value).length)
  }

  function fail(entry: Entry<unknown>, error: unknown): void {
    const retryAfterMs = error instanceof AppError ? error.retryAfterMs : undefined
    entry.failure = { error, at: now(), lastsMs: Math.min(failureMs, retryAfterMs ?? failureMs) }
    entry.loading = undefined
    if (mayCover(error)) return
    entry.found = undefined
    resize(entry, 1)
  }

  function cover<T>({ found }: Entry<T>, error: unknown): Cached<T> {
    if (found && mayCover(error) && isWithin(coverMs, found)) return { ...found, stale: true }
    throw error
  }

  return {
    /**
     * At once what may be served at once, else a promise. With `fresh` neither a remembered answer nor a load
     * already under way will do. Throws what asking failed with less than a second ago.
     */
    read<T>(entry: Entry<T>, load: Load<T>, fresh = false): Cached<T> | Promise<Cached<T>> {
      const { found, failure, loading } = entry
      if (!fresh) {
        if (found && isWithin(freshMs, found)) {
          counts.hits++
          return found
        }
        if (failure && isWithin(failure.lastsMs, failure)) {
          counts.negative++
          return cover(entry, failure.error)
        }
        if (found && isWithin(staleMs, found)) {
          counts.stale++
          if (!loading) void start(entry, load)
          return { ...found, stale: true }
        }
        if (loading) {
          counts.coalesced++
          return loading
        }
      }
      counts.misses++
      return start(entry, load)
    },

    /** Takes what somebody else's load brings along, unless it is being loaded already. */
    offer<T>(entry: Entry<T>, load: Load<T>): void {
      if (!entry.loading) void start(entry, load)
    }
  }
}

// A refusal is news and must be seen; that Calendly is away, or accepts no key for now, is not.
function mayCover(error: unknown): boolean {
  return error instanceof AppError && statusOf(error) !== 403 && statusOf(error) !== 404
}
