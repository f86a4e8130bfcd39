import fc from 'fast-check'
import t from 'tap'
import { dayOf, windowsOver } from '../../src/calendly/windows.ts'

const day = 86_400_000
const minute = 60_000
const now = Date.parse('2026-11-22T12:00:30.500Z')
const today = dayOf(now)
const at = (text: string) => Date.parse(text)
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => today + from + i)
const firstDays = (days: Iterable<number>, windowDays = 31, moment = now) =>
  windowsOver(days, { windowDays, now: moment }).map(({ firstDay }) => firstDay - today)

t.test('the page that everybody asks for is one window from today on', async (t) => {
  t.same(windowsOver(range(0, 31), { windowDays: 31, now }), [
    { firstDay: today, lastDay: today + 30, startTime: at('2026-11-22T12:02:00Z'), endTime: at('2026-12-23') }
  ])
  t.same(firstDays(range(2, 31)), [0])
  t.same(firstDays([today + 9]), [0])
})

t.test('different ranges are cut at the same places', async (t) => {
  t.same(firstDays(range(0, 100)), [0, 31, 62, 93])
  t.same(firstDays([today + 70]), [62])
  t.same(firstDays(range(40, 110)), [31, 62, 93])
})

t.test('a range that fits into one window is one, wherever it lies', async (t) => {
  t.same(firstDays(range(20, 51)), [20])
  t.same(firstDays([...range(20, 41), today + 70]), [20, 62], 'and the rest keeps to the grid')
})

t.test('days that nobody asks for are skipped', async (t) => {
  t.same(firstDays([today + 3, today + 170]), [0, 155])
})

t.test('what is left of a day that ends within the minute is not asked for', async (t) => {
  const moment = at('2026-11-22T23:59:30Z')
  t.same(windowsOver([today], { windowDays: 7, now: moment }), [])
  t.match(windowsOver([today, today + 1], { windowDays: 1, now: moment }), [
    { firstDay: today + 1, startTime: at('2026-11-23T00:01:00Z') }
  ])
  t.same(windowsOver([today - 1], { windowDays: 7, now }), [])
})

t.test('windows have every day, Calendly accepts each, and fewer would not do', async () => {
  /** The fewest windows over ascending days: each starts at the first day that is not in one before. */
  function fewest([first, ...rest]: readonly number[], windowDays: number): number {
    if (first === undefined) return 0
    return (
      1 +
      fewest(
        rest.filter((other) => other >= first + windowDays),
        windowDays
      )
    )
  }
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 31 }),
      fc.integer({ min: today * day, max: (today + 1) * day - 1 }),
      (offsets, windowDays, moment) => {
        const days = offsets.map((offset) => today + offset)
        const windows = windowsOver(days, { windowDays, now: moment })
        return (
          days.every((each) =>
            windows.some(({ firstDay, lastDay }) => firstDay <= each && each <= lastDay)
          ) &&
          windows.length ===
            fewest(
              days.toSorted((a, b) => a - b),
              windowDays
            ) &&
          windows.every(
            ({ firstDay, lastDay, startTime, endTime }) =>
              startTime >= moment + minute &&
              startTime < endTime &&
              endTime - startTime <= windowDays * day &&
              endTime === (lastDay + 1) * day &&
              lastDay - firstDay + 1 === windowDays &&
              (startTime === firstDay * day || startTime <= moment + 2 * minute)
          )
        )
      }
    )
  )
})

t.test('windows keep to the grid where that costs none', async () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 150 }),
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 1, max: 31 }),
      (from, length, windowDays) => {
        const last = from + length - 1
        const onGrid = Math.floor(last / windowDays) - Math.floor(from / windowDays) + 1
        const windows = firstDays(range(from, from + length), windowDays)
        return windows.length < onGrid || windows.every((first) => first % windowDays === 0)
      }
    )
  )
})
