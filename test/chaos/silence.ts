import { sandboxTrouble, settle } from './faults.ts'
import { wishes } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'
import { withstand } from './support/withstand.ts'

const callers = { bounded: 3, full: 10 }
const kinds = [
  { kind: 'hang', processed: true },
  { kind: 'hang_body' },
  { kind: 'slow_body', latency_ms: 1_000 }
]
const paths = ['/event_type_available_times', '/event_types*', '/invitees']

/** Calendly takes the connection and then its time: nothing, half an answer, or a byte a second. */
export const silence: Experiment = {
  engines: ['embedded'],
  sabotages: [
    {
      file: 'calendly/timeouts.ts',
      mechanism: 'for (const { onTimeout } of entries) onTimeout()',
      without: ''
    }
  ],

  async run(stage, { isBounded }) {
    // Every path meets every kind; a single round shows each of both.
    const rounds = isBounded ? 1 : kinds.length
    const wishesEach = (isBounded ? callers.bounded : callers.full) + 1
    const service = await stage.start({ env: { CALENDLY_CACHE_MAX_ENTRIES: '20' } })
    const wished = await wishes(stage, service, rounds * wishesEach)
    for (let round = 0; round < rounds; round++) {
      const faults = paths.map((path, i) => ({ ...kinds[(i + round) % kinds.length], match: { path } }))
      await withstand(stage, service, {
        name: `silence ${round + 1}`,
        trouble: sandboxTrouble(stage, ...faults),
        wished: wished.slice(round * wishesEach, (round + 1) * wishesEach)
      })
    }
    await settle(stage, service, wished)
    return `${rounds} rounds under ${3 * (wishesEach - 1)} callers`
  }
}
