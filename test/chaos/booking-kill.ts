import assert from 'node:assert/strict'
import { assertOneEach, bookAllForSure, postsToCalendly, untilResolved, wishes } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'

const bookingsPerKill = 4
const latencyMs = 300
/** Calendly takes long, so that the service dies before, while and after it is asked: before it acts, or to answer. */
const slowness = [
  { kind: 'latency', latency_ms: latencyMs, probability: 0.25 },
  { kind: 'slow_body', latency_ms: 0 }
]
const settledWithinSeconds = 60

/** The service dies with bookings on their way to Calendly; their clients ask again with the same key. */
export const bookingKill: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [{ file: 'core/look-up.ts', mechanism: 'return found\n', without: 'return []\n' }],

  async run(stage, { isBounded }) {
    const kills = isBounded ? 5 : 20
    const service = await stage.start()
    const wished = await wishes(stage, service, kills * bookingsPerKill)
    for (const fault of slowness) {
      await stage.control('POST', '/faults', { ...fault, match: { method: 'POST', path: '/invitees' } })
    }
    const clients: Promise<unknown>[] = []
    for (let kill = 0; kill < kills; kill++) {
      const asked = await postsToCalendly(stage)
      const round = wished.slice(kill * bookingsPerKill, (kill + 1) * bookingsPerKill)
      clients.push(bookAllForSure(stage, service, round))
      // Every other time from the moment on which Calendly has heard of one.
      if (kill % 2 === 0) {
        await stage.until(
          'Calendly is asked to book',
          () => postsToCalendly(stage),
          (posts) => posts > asked
        )
      }
      await stage.pause(latencyMs)
      await service.kill()
      await service.start()
    }
    const restartedAt = Date.now()
    await Promise.all(clients)
    await untilResolved(stage, service)
    await assertOneEach(stage, service, wished)
    const seconds = Math.ceil((Date.now() - restartedAt) / 1_000)
    assert(seconds <= settledWithinSeconds, `all was settled only ${seconds} s after the last restart`)
    return `${wished.length} bookings, ${kills} kills, settled ${seconds} s after the last`
  }
}
