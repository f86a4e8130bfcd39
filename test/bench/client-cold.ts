import { openTestClient, startOfTest } from '../calendly/fixtures/client.ts'
import { type Benchmark, withTeardown } from './support/benchmark.ts'
import { openWire } from './support/wire.ts'

const dayMs = 86_400_000
const callers = 1_000
const windows = 2

/** Everybody at once wants the same sixty days, of which nothing is known. */
export const callsAtOnce: Benchmark = ({ report }) =>
  withTeardown(async (t) => {
    const wire = await openWire({ now: () => startOfTest, limit: 500 })
    t.teardown(wire.close)
    const { calendly } = openTestClient({ baseUrl: wire.url })
    t.teardown(calendly.close)
    const ask = {
      eventType: 'https://api.calendly.com/event_types/TYPE1',
      startTime: startOfTest,
      endTime: startOfTest + 60 * dayMs
    }
    await Promise.all(Array.from({ length: callers }, () => calendly.availableTimes(ask)))
    const calls = wire.takeCalls().length
    report({
      title: 'calls at once',
      isPassed: calls === windows,
      words: `${calls} calls for ${callers} cold asks of one range (${windows}, one a window)`
    })
  })
