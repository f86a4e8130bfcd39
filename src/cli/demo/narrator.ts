type Write = (line: string) => void

/** One exchange of the story, as it is told. */
export type Told = {
  /** What a caller asked of the service. */
  asked: string
  /** What came back, in a line. */
  answered: string
  /** False makes the step fail. */
  held: boolean
}

/** What the service asked of Calendly or of Stripe. */
export type OutboundCall = { method: string; path: string; status: number | null }

/**
 * Tells a story step by step: what was asked, what Calendly and Stripe were asked for it, what came back and how
 * long it took. A step that fails is told too, and the story goes on.
 */
export function createNarrator(
  write: Write,
  outboundCalls: () => Promise<OutboundCall[]>,
  now: () => number
) {
  const startedAt = now()
  let steps = 0
  let failures = 0
  let told: readonly OutboundCall[] = []

  async function callsSince(): Promise<OutboundCall[]> {
    const calls = await outboundCalls()
    const fresh = calls.slice(told.length)
    told = calls
    return fresh
  }

  return {
    async step(title: string, tell: () => Promise<Told>): Promise<void> {
      write(`\n${String(++steps).padStart(2)}. ${title}`)
      const before = now()
      const { asked, answered, held } = await tell().catch((error: unknown) => ({
        asked: '(no answer)',
        answered: String(error),
        held: false
      }))
      const ms = now() - before
      write(`    asked     ${asked}`)
      for (const line of summarize(await callsSince())) write(`    ${line}`)
      write(`    ${held ? 'answered ' : 'FAILED   '} ${answered}  (${ms} ms)`)
      if (!held) failures++
    },

    summary() {
      const toStripe = told.filter(isToStripe).length
      return { steps, failures, toCalendly: told.length - toStripe, toStripe, ms: now() - startedAt }
    }
  }
}

const isToStripe = ({ path }: OutboundCall) => path.startsWith('/v1/')

function summarize(calls: readonly OutboundCall[]): string[] {
  if (calls.length === 0) return ['Calendly  was not asked']
  const counts = new Map<string, number>()
  for (const call of calls) {
    const { method, path, status } = call
    const line = `${isToStripe(call) ? 'Stripe   ' : 'Calendly '} ${method} ${shorten(path)} → ${status ?? 'no answer'}`
    counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  return [...counts].map(([line, count]) => (count === 1 ? line : `${line}  ×${count}`))
}

const shorten = (path: string) =>
  path
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, (id) => `${id.slice(0, 8)}…`)
    .replaceAll(/\b([a-z]{2})_[0-9a-f]{24}/g, (id) => `${id.slice(0, 11)}…`)
