/**
 * Work on one thing goes one after the other in this process: what would wait for a lock that another has holds no
 * connection meanwhile, so that a rush at one thing leaves the others their share of the database.
 */
export function createTurns() {
  const last = new Map<string, Promise<unknown>>()

  return async <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const mine = (last.get(key) ?? Promise.resolve()).then(work)
    const settled = mine.catch(() => {})
    last.set(key, settled)
    try {
      return await mine
    } finally {
      if (last.get(key) === settled) last.delete(key)
    }
  }
}

export type Turns = ReturnType<typeof createTurns>
