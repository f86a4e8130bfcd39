/** One request to Calendly's API, as it will be asserted against. Never holds a token, only its name. */
export type Entry = {
  at: string
  method: string
  path: string
  query: unknown
  body: unknown
  token: string | null
  /** What was decided, even if a fault kept it from the client; null when nothing was. */
  status: number | null
  fault: string | null
  violations: string[]
}

export type Journal = ReturnType<typeof createJournal>

const longest = 10_000

/** The last requests, oldest first. Violations are kept apart, so that a busy client cannot push them out. */
export function createJournal() {
  let entries: Entry[] = []
  let violations: { method: string; path: string; violation: string }[] = []

  return {
    add(entry: Entry) {
      entries.push(entry)
      if (entries.length > 2 * longest) entries = entries.slice(-longest)
    },

    violate(entry: Entry, found: readonly string[]) {
      const { method, path } = entry
      entry.violations.push(...found)
      violations.push(...found.map((violation) => ({ method, path, violation })))
    },

    entries: (): readonly Entry[] => entries.slice(-longest),
    violations: (): readonly { method: string; path: string; violation: string }[] => violations,

    clear() {
      entries = []
      violations = []
    }
  }
}
