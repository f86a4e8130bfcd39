import t from 'tap'
import { createMeter, type ErrorClass } from '../../src/calendly/meter.ts'

function open(size?: number) {
  let time = 1_000
  const meter = createMeter({ now: () => time, ...(size !== undefined && { size }) })
  return {
    meter,
    pass: (ms: number) => {
      time += ms
    },
    exchange(
      durationMs: number,
      errorClass?: ErrorClass,
      { endpoint = 'GET /users/me', isRetry = false } = {}
    ) {
      const startedAt = time
      time += durationMs
      meter.record({ endpoint, startedAt, errorClass, isRetry })
    }
  }
}

t.test('every exchange is counted, and percentiles speak of the latest', async (t) => {
  const { meter, exchange } = open(100)
  for (let i = 0; i < 50; i++) exchange(10_000, 'timeout')
  for (let durationMs = 1; durationMs <= 100; durationMs++) exchange(durationMs)
  t.same(meter.report(), {
    failuresInARow: 0,
    calls: 150,
    retries: 0,
    requests: {
      'GET /users/me': {
        count: 150,
        errors: 50,
        errorsByClass: { timeout: 50 },
        retries: 0,
        p50: 50,
        p95: 95,
        p99: 99,
        totalMs: 505_050
      }
    }
  })
})

t.test('refusals are told by class and are no errors', async (t) => {
  const { meter, exchange } = open()
  const faults = ['timeout', 'network', 'unreadable', 'unauthenticated', 'rate_limited', 'server'] as const
  const refusals = ['forbidden', 'not_found', 'refused'] as const
  for (const errorClass of [...faults, ...refusals]) exchange(1, errorClass)
  t.match(meter.report(), {
    failuresInARow: 0,
    requests: {
      'GET /users/me': {
        count: 9,
        errors: 6,
        errorsByClass: Object.fromEntries([...faults, ...refusals].map((name) => [name, 1]))
      }
    }
  })
})

t.test('retries are counted where they happen and in all', async (t) => {
  const { meter, exchange } = open()
  exchange(1, 'server')
  exchange(1, undefined, { isRetry: true })
  exchange(1, undefined, { endpoint: 'POST /invitees', isRetry: true })
  t.match(meter.report(), {
    calls: 3,
    retries: 2,
    requests: { 'GET /users/me': { retries: 1 }, 'POST /invitees': { retries: 1 } }
  })
})

t.test('failures are counted until one exchange succeeds', async (t) => {
  const { meter, exchange } = open()
  exchange(1, 'server')
  exchange(1, 'network', { endpoint: 'POST /invitees' })
  t.match(meter.report(), { failuresInARow: 2 })
  exchange(1, 'not_found')
  t.match(meter.report(), { failuresInARow: 0 })
})

t.test('it ails while the latest exchange failed and nothing was asked since', async (t) => {
  const { meter, exchange, pass } = open()
  t.notOk(meter.isAiling(5_000))
  exchange(1, 'network')
  t.notOk(meter.isAiling(5_000))
  pass(5_000)
  t.ok(meter.isAiling(5_000))
  exchange(1)
  pass(5_000)
  t.notOk(meter.isAiling(5_000))
})

t.test('before the first exchange there is nothing to report', async (t) => {
  t.same(open().meter.report(), { failuresInARow: 0, calls: 0, retries: 0, requests: {} })
})
