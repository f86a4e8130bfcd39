import fc from 'fast-check'
import t from 'tap'
import { createLocalQuota } from '../../src/calendly/local-quota.ts'

const limit = 50
const minuteMs = 60_000

type Traffic = {
  /** Uniform in [0, 1). */
  random: () => number
  meanPauseMs: number
  latencyMs: number
  /** Whether Calendly's minutes are those of the clock, or begin with their first call. */
  isAligned: boolean
}

/** How many calls reach Calendly in each of its minutes when 80 % are ours and answers overtake each other. */
async function play({ random, meanPauseMs, latencyMs, isAligned }: Traffic): Promise<number[]> {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const quota = createLocalQuota({ now: () => now })
  const until = now + 4 * minuteMs
  const pending: { at: number; run: () => unknown }[] = []
  const later = (ms: number, run: () => unknown) => pending.push({ at: now + random() * ms, run })
  const used: number[] = []
  let endsAt = Number.NEGATIVE_INFINITY

  const arrive = () => {
    if (now >= endsAt) {
      endsAt = (isAligned ? Math.floor(now / minuteMs) * minuteMs : now) + minuteMs
      used.push(0)
    }
    const count = (used.pop() ?? 0) + 1
    used.push(count)
    const resetMs = Math.ceil((endsAt - now) / 1000) * 1000
    later(latencyMs, () => quota.settle('user', { limit, remaining: limit - count, resetMs }))
  }
  const ask = async () => {
    if (now < until) later(2 * meanPauseMs, ask)
    if ((await quota.take('user', 1 - 0.8)).isGranted) later(latencyMs, arrive)
  }

  await quota.settle('user', { limit, remaining: limit, resetMs: 0 })
  later(minuteMs, ask)
  while (pending.length > 0) {
    const next = pending.reduce((one, other) => (other.at < one.at ? other : one))
    pending.splice(pending.indexOf(next), 1)
    now = next.at
    await next.run()
  }
  return used
}

t.test('whatever the traffic, no minute of Calendly’s sees more than its quota', async (t) => {
  const traffic = fc.record({
    seed: fc.integer(),
    meanPauseMs: fc.constantFrom(20, 500, 1500),
    latencyMs: fc.constantFrom(20, 200, 1500),
    isAligned: fc.boolean()
  })
  const isKept = fc.asyncProperty(traffic, async ({ seed, ...rest }) => {
    const used = await play({ ...rest, random: randomFrom(seed) })
    // A call that is under way when a minute ends may be one too many for our share of the next.
    return used.every((count) => count <= limit)
  })
  await t.resolves(fc.assert(isKept, { numRuns: 50 }))
})

t.test('where there is demand for it, our share of every minute is used up', async (t) => {
  const used = await play({ random: randomFrom(1), meanPauseMs: 50, latencyMs: 200, isAligned: false })
  t.same(used, [40, 40, 40, 40])
})

/** Mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
