/** Remembers what was used last, up to a total weight. */
export function createMemo<T>(maxWeight: number) {
  // A Map keeps the order of insertion: the first is the one that was not used for longest.
  const entries = new Map<string, { value: T; weight: number }>()
  let total = 0

  function remove(key: string): void {
    total -= entries.get(key)?.weight ?? 0
    entries.delete(key)
  }

  return {
    get(key: string): T | undefined {
      const entry = entries.get(key)
      if (!entry) return undefined
      entries.delete(key)
      entries.set(key, entry)
      return entry.value
    },

    set(key: string, value: T, valueWeight: number): void {
      remove(key)
      // What weighs nothing would stay for ever.
      const weight = Math.max(1, valueWeight)
      if (weight > maxWeight) return
      entries.set(key, { value, weight })
      total += weight
      for (const oldest of entries.keys()) {
        if (total <= maxWeight) break
        remove(oldest)
      }
    }
  }
}
