import t from 'tap'
import { CalendlyError, ExchangeError } from '../../src/calendly/errors.ts'
import { createRetry } from '../../src/calendly/retry.ts'
import { fakeSystem } from '../support/system.ts'

const answered = (status: number, retryAfterMs?: number) =>
  new CalendlyError(status, { title: '', message: `${status}`, details: [] }, { retryAfterMs })
const lost = (wasSent: boolean) => new ExchangeError('lost', { reason: 'network', wasSent })
const failing = (error: Error) => async () => {
  throw error
}
const patient = (method: string) => ({ method, startBy: Number.POSITIVE_INFINITY })

/** Runs what fails again and again, and says after which waits it was begun anew. */
async function attemptsAt(error: Error, method = 'GET', random = 0.5) {
  const system = { ...fakeSystem(), random: () => random }
  const starts: number[] = []
  const run = async () => {
    starts.push(system.now())
    throw error
  }
  await createRetry(system)(run, patient(method)).catch(() => {})
  return starts.map((at) => at - (starts[0] ?? 0))
}

t.test('a read is tried three times, after any wait below 100 and 200 ms', async (t) => {
  t.same(await attemptsAt(answered(503), 'GET', 0), [0, 0, 0])
  t.same(await attemptsAt(answered(503), 'GET', 0.5), [0, 50, 150])
  t.same(await attemptsAt(answered(503), 'GET', 0.75), [0, 75, 225])
})

t.test('the ceiling doubles up to its cap of 2 s', async (t) => {
  const system = fakeSystem()
  const retry = createRetry(system, { attempts: 8, baseMs: 100, capMs: 2_000 })
  await t.rejects(retry(failing(answered(503)), patient('GET')))
  t.same(system.slept, [50, 100, 200, 400, 800, 1_000, 1_000])
})

t.test('how long the server asks to wait is how long the wait is', async (t) => {
  t.same(await attemptsAt(answered(429, 7_000)), [0, 7_000, 14_000])
  t.same(await attemptsAt(answered(503, 9_000)), [0, 9_000, 18_000])
})

t.test('which attempt it is, is told', async (t) => {
  const numbers: number[] = []
  const run = async (attempt: number) => {
    numbers.push(attempt)
    if (attempt < 3) throw answered(500)
    return 'done'
  }
  t.equal(await createRetry(fakeSystem())(run, patient('GET')), 'done')
  t.same(numbers, [1, 2, 3])
})

t.test('only what may be repeated is', async (t) => {
  const attempts = async (method: string, error: Error) => (await attemptsAt(error, method)).length
  for (const status of [408, 429, 500, 502, 503, 504]) t.equal(await attempts('GET', answered(status)), 3)
  for (const status of [400, 401, 403, 404, 409, 501]) t.equal(await attempts('GET', answered(status)), 1)
  t.equal(await attempts('GET', lost(true)), 3)
  t.equal(await attempts('GET', new Error('a bug')), 1)
  for (const method of ['POST', 'DELETE']) {
    for (const status of [408, 500, 502, 503, 504]) t.equal(await attempts(method, answered(status)), 1)
    t.equal(await attempts(method, lost(true)), 1)
    t.equal(await attempts(method, lost(false)), 3, 'it never left')
    t.equal(await attempts(method, answered(429)), 3, 'nothing was executed')
  }
})

t.test('a wait that would reach the deadline is not begun', async (t) => {
  const system = fakeSystem()
  const startBy = system.now() + 5_000
  await t.rejects(createRetry(system)(failing(answered(429, 5_000)), { method: 'GET', startBy }))
  t.same(system.slept, [])
  await t.rejects(createRetry(system)(failing(answered(429, 2_500)), { method: 'GET', startBy }))
  t.same(system.slept, [2_500])
})

t.test(
  'a thousand failing reads are at most 1,110 attempts, and recovery pays for new retries',
  async (t) => {
    const retry = createRetry(fakeSystem())
    let attempts = 0
    const fail = async () => {
      attempts++
      throw answered(503)
    }
    for (let read = 0; read < 1_000; read++) await retry(fail, patient('GET')).catch(() => {})
    t.ok(attempts <= 1_110 && attempts > 1_100, `${attempts} attempts`)

    for (let read = 0; read < 1_000; read++) await retry(async () => {}, patient('GET'))
    attempts = 0
    for (let read = 0; read < 5; read++) await retry(fail, patient('GET')).catch(() => {})
    t.equal(attempts, 15, 'saved up for five reads with two retries each')
  }
)
