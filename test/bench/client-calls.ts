import { openTestClient, startOfTest } from '../calendly/fixtures/client.ts'
import { createChance } from '../chaos/support/chance.ts'
import { type Benchmark, withTeardown } from './support/benchmark.ts'
import { openWire } from './support/wire.ts'

const minuteMs = 60_000
const dayMs = 86_400_000
const callers = 1_000
const everyMs = 10_000
const eventTypes = Array.from({ length: 10 }, (_, n) => `https://api.calendly.com/event_types/TYPE${n}`)
const limit = 500
const quotaShare = 0.8
const leastRatio = 100

type Ask = { at: number; eventType: string; startTime: number; endTime: number }

/** A minute of the clock in which everybody asks for parts of the next sixty days, each of them every ten seconds. */
export const callsUnderLoad: Benchmark = ({ report }) =>
  withTeardown(async (t) => {
    let now = () => startOfTest
    const openCounted = async () => {
      const wire = await openWire({ now: () => now(), limit })
      t.teardown(wire.close)
      return wire
    }
    const [ours, theirs] = [await openCounted(), await openCounted()]
    const { calendly, pass, ...clock } = openTestClient({ baseUrl: ours.url, quotaShare })
    t.teardown(calendly.close)
    now = clock.now

    let wrong = 0
    const asks = drawAsks(createChance('client'))
    for (const [at, group] of Map.groupBy(asks, ({ at }) => at)) {
      pass(Math.max(0, at - now()))
      await Promise.all(
        group.map(async (ask) => {
          const [{ times }, plain] = await Promise.all([
            calendly.availableTimes(ask),
            askPlainly(theirs.url, ask)
          ])
          if (String(bookable(times.map(({ startTime }) => startTime))) !== String(bookable(plain))) wrong++
        })
      )
    }
    // Calendly is asked for nothing that begins within a minute or so, and needs not agree on it.
    function bookable(starts: readonly number[]): number[] {
      return starts.filter((start) => start > now() + 2 * minuteMs)
    }

    const [calls, plainCalls] = [ours.takeCalls(), theirs.takeCalls().length]
    const ratio = plainCalls / calls.length
    const busiest = busiestMinute(calls)
    report({
      title: 'calls under load',
      isPassed: ratio >= leastRatio && busiest <= limit * quotaShare && wrong === 0,
      words:
        `${ratio.toFixed(0)} times fewer than without cache in windows of seven days (at least ${leastRatio}): ` +
        `${calls.length} against ${plainCalls} for ${asks.length} asks of ${callers} callers, each every ` +
        `${everyMs / 1_000} s for a minute; ${busiest} in the busiest minute of ${limit * quotaShare} allowed; ` +
        `${wrong} answers differ`
    })
  })

/** Each caller at a moment of their own, to a twentieth of a second, then again and again. */
function drawAsks(chance: () => number): Ask[] {
  const asks = Array.from({ length: callers }, () => Math.floor(chance() * (everyMs / 50)) * 50).flatMap(
    (phase) =>
      Array.from({ length: minuteMs / everyMs }, (_, turn): Ask => {
        const at = startOfTest + phase + turn * everyMs
        const [from, part] = [chance() * 60 * dayMs, chance()]
        const startTime = Math.floor(at + from)
        const endTime = Math.ceil(startTime + part * (60 * dayMs - from))
        return {
          at,
          eventType: eventTypes[Math.floor(chance() * eventTypes.length)] ?? '',
          startTime,
          endTime
        }
      })
  )
  return asks.sort((one, other) => one.at - other.at)
}

/** As a client does that remembers nothing: Calendly's older limit of seven days, one call after the other. */
async function askPlainly(url: string, { eventType, startTime, endTime }: Ask): Promise<number[]> {
  const starts: number[] = []
  for (let from = startTime; from < endTime; from += 7 * dayMs) {
    const query = new URLSearchParams({
      event_type: eventType,
      start_time: new Date(from).toISOString(),
      end_time: new Date(Math.min(from + 7 * dayMs, endTime)).toISOString()
    })
    const answer = await fetch(`${url}/event_type_available_times?${query}`)
    const { collection } = (await answer.json()) as { collection: { start_time: string }[] }
    starts.push(...collection.map(({ start_time }) => Date.parse(start_time)))
  }
  return starts
}

/** The most calls that began within any minute. */
function busiestMinute(calls: readonly number[]): number {
  const ascending = calls.toSorted((one, other) => one - other)
  return Math.max(
    0,
    ...ascending.map((from, n) => ascending.slice(n).filter((at) => at < from + minuteMs).length)
  )
}
