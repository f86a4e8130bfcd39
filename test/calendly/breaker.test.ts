import t from 'tap'
import { createBreaker } from '../../src/calendly/breaker.ts'

function open() {
  const clock = { time: 1_000_000 }
  const said: string[] = []
  const breaker = createBreaker('reads', {
    now: () => clock.time,
    log: { debug: () => {}, warn: (_, message) => said.push(message), error: () => {} }
  })
  const call = (isAnswered: boolean, times: number) => {
    for (let i = 0; i < times; i++) breaker.enter()(isAnswered)
  }
  return {
    clock,
    said,
    breaker,
    fail: (times = 1) => call(false, times),
    answer: () => call(true, 1)
  }
}
const unavailable = { code: 'calendly_unavailable' }

t.test('it opens after ten failures in a row, for five seconds', async (t) => {
  const { clock, breaker, fail } = open()
  fail(9)
  t.same(breaker.report(), { name: 'reads', state: 'closed' })
  fail()
  t.same(breaker.report(), { name: 'reads', state: 'open', retryAt: clock.time + 5_000 })
  t.throws(() => breaker.enter(), { ...unavailable, retryAfterMs: 5_000 })
  clock.time += 4_999
  t.throws(() => breaker.enter(), unavailable)
  clock.time += 1
  t.equal(breaker.state(), 'half_open')
  t.doesNotThrow(() => breaker.enter())
})

t.test('an answer in between begins the count anew', async (t) => {
  const { breaker, fail, answer } = open()
  fail(9)
  answer()
  fail(9)
  t.equal(breaker.state(), 'closed')
  fail()
  t.equal(breaker.state(), 'open')
})

t.test('half open lets exactly one through, however many come', async (t) => {
  const { clock, breaker, fail } = open()
  fail(10)
  clock.time += 5_000
  const leave = breaker.enter()
  for (let i = 0; i < 100; i++) t.throws(() => breaker.enter(), unavailable)
  leave(true)
  t.equal(breaker.state(), 'closed')
  t.doesNotThrow(() => breaker.enter())
})

t.test('a probe that fails begins another rest', async (t) => {
  const { clock, breaker, fail, answer } = open()
  fail(10)
  clock.time += 5_000
  fail()
  t.equal(breaker.state(), 'open')
  clock.time += 5_000
  answer()
  t.equal(breaker.state(), 'closed')
})

t.test('what began before it opened neither closes nor opens it again', async (t) => {
  const { clock, breaker, fail } = open()
  const [early, late] = [breaker.enter(), breaker.enter()]
  fail(10)
  early(true)
  t.equal(breaker.state(), 'open')
  clock.time += 5_000
  const probe = breaker.enter()
  late(false)
  t.equal(breaker.state(), 'half_open')
  t.throws(() => breaker.enter(), unavailable)
  probe(true)
  t.equal(breaker.state(), 'closed')
})

t.test('once closed, it takes ten failures again', async (t) => {
  const { clock, breaker, fail, answer } = open()
  fail(10)
  clock.time += 5_000
  answer()
  fail(9)
  t.equal(breaker.state(), 'closed')
})

t.test('where nobody calls it closes by itself, until the first failure', async (t) => {
  const { clock, breaker, fail, answer } = open()
  fail(10)
  clock.time += 14_999
  t.equal(breaker.state(), 'half_open')
  clock.time += 1
  t.same(breaker.report(), { name: 'reads', state: 'closed' })
  fail()
  t.equal(breaker.state(), 'open')
  clock.time += 15_000
  answer()
  fail(9)
  t.equal(breaker.state(), 'closed')
})

t.test('it says once that it opened and once that it closed', async (t) => {
  const { clock, said, fail, answer } = open()
  fail(10)
  clock.time += 5_000
  fail()
  clock.time += 5_000
  answer()
  t.same(said, ['calendly fails, its breaker is open', 'calendly answers again, its breaker is closed'])
})
