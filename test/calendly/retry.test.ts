import t from 'tap'
import { retry } from '../../src/calendly/retry.ts'
import { fakeSystem } from '../support/system.ts'

const failing = async () => {
  throw new Error('503')
}

t.test('backs off with full jitter, lets the server speak first, then gives up', async (t) => {
  const system = fakeSystem()
  const verdicts = [{}, { retryAfterMs: 9_000 }, {}]
  const policy = { attempts: 4, baseMs: 100, capMs: 1_000, deadlineAt: Number.POSITIVE_INFINITY }
  await t.rejects(
    retry(failing, () => verdicts.shift(), policy, system),
    { message: '503' }
  )
  t.same(system.slept, [50, 9_000, 200])
})

t.test('the guess never grows past its cap', async (t) => {
  const system = fakeSystem()
  const policy = { attempts: 5, baseMs: 100, capMs: 250, deadlineAt: Number.POSITIVE_INFINITY }
  await t.rejects(retry(failing, () => ({}), policy, system))
  t.same(system.slept, [50, 100, 125, 125])
})

t.test('a wait that would reach the deadline is not begun', async (t) => {
  const system = fakeSystem()
  const policy = { attempts: 9, baseMs: 100, capMs: 1_000, deadlineAt: system.now() + 5_000 }
  await t.rejects(retry(failing, () => ({ retryAfterMs: 2_000 }), policy, system))
  t.same(system.slept, [2_000, 2_000])
})

t.test('what must not be repeated is not', async (t) => {
  const system = fakeSystem()
  let runs = 0
  const run = async () => {
    runs++
    return failing()
  }
  const policy = { attempts: 3, baseMs: 100, capMs: 1_000, deadlineAt: Number.POSITIVE_INFINITY }
  await t.rejects(retry(run, () => undefined, policy, system))
  t.equal(runs, 1)
})
