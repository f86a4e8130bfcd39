import t from 'tap'
import { createMeter } from '../../src/calendly/meter.ts'

t.test('every exchange is counted, and percentiles speak of the latest', async (t) => {
  let time = 1_000
  const meter = createMeter({ now: () => time, size: 100 })
  const exchange = (durationMs: number, isError = false) => {
    const startedAt = time
    time += durationMs
    meter.record('GET /users/me', startedAt, isError)
  }
  for (let i = 0; i < 50; i++) exchange(9_999, true)
  for (let durationMs = 1; durationMs <= 100; durationMs++) exchange(durationMs)
  t.same(meter.report(), {
    failuresInARow: 0,
    requests: { 'GET /users/me': { count: 150, errors: 50, p50: 50, p95: 95, p99: 99 } }
  })
})

t.test('failures are counted until one exchange succeeds', async (t) => {
  const meter = createMeter({ now: () => 0 })
  meter.record('GET /users/me', 0, true)
  meter.record('POST /invitees', 0, true)
  t.match(meter.report(), { failuresInARow: 2 })
  meter.record('GET /users/me', 0, false)
  t.match(meter.report(), { failuresInARow: 0 })
})

t.test('before the first exchange there is nothing to report', async (t) => {
  t.same(createMeter({ now: () => 0 }).report(), { failuresInARow: 0, requests: {} })
})
