export type CalendlyKey = { name: string; token: string }

/** What may be shown of a key: never the token. */
export type KeyReport = { name: string; lastFour: string; health: 'ok' | 'invalid' }

/** The tokens in order of preference. One that Calendly refused rests for `probeMs`, then is tried again. */
export function createKeys(
  keys: readonly CalendlyKey[],
  { probeMs, now }: { probeMs: number; now: () => number }
) {
  const invalidUntil = new Map<string, number>()
  const isUsable = ({ name }: CalendlyKey) => (invalidUntil.get(name) ?? 0) <= now()
  return {
    isEmpty: keys.length === 0,
    /** A fresh list: a request that is refused walks its own, whatever others meet meanwhile. */
    usable: () => keys.filter(isUsable),
    /** Remembers a 401; true for the first to meet it. */
    reject(key: CalendlyKey): boolean {
      const isNews = isUsable(key)
      invalidUntil.set(key.name, now() + probeMs)
      return isNews
    },
    /** Until the first refused key is tried again. */
    restMs: () => Math.max(0, Math.min(...invalidUntil.values()) - now()),
    report: (): KeyReport[] =>
      keys.map((key) => ({
        name: key.name,
        lastFour: lastFour(key),
        health: isUsable(key) ? 'ok' : 'invalid'
      }))
  }
}

export const lastFour = ({ token }: CalendlyKey) => token.slice(-4)

export type Keys = ReturnType<typeof createKeys>
