import fc from 'fast-check'
import t from 'tap'
import { cutIntoWindows } from '../../src/calendly/batch.ts'

const day = 86_400_000
const minute = 60_000
const now = Date.parse('2026-11-22T12:00:30.500Z')
const at = (text: string) => Date.parse(text)

t.test('different ranges are cut at the same places', async (t) => {
  const options = { windowDays: 31, now }
  const long = cutIntoWindows(
    { startTime: at('2027-01-01T00:00Z'), endTime: at('2027-04-01T00:00Z') },
    options
  )
  const short = cutIntoWindows(
    { startTime: at('2027-02-20T10:00Z'), endTime: at('2027-02-20T11:00Z') },
    options
  )
  t.equal(short.length, 1)
  t.ok(
    short.every((window) => long.some((other) => other.id === window.id)),
    'the short range is part of a window of the long one'
  )
})

t.test('the first window starts a full minute ahead, on the minute', async (t) => {
  const [first] = cutIntoWindows({ startTime: 0, endTime: now + day }, { windowDays: 7, now })
  t.equal(first?.startTime, at('2026-11-22T12:02:00Z'))
})

t.test('a range that is past or empty needs no window', async (t) => {
  const options = { windowDays: 31, now }
  t.same(cutIntoWindows({ startTime: 0, endTime: now }, options), [])
  t.same(cutIntoWindows({ startTime: now + day, endTime: now + day }, options), [])
})

t.test('windows cover every future minute of the range once, and Calendly accepts each', async () => {
  const instant = fc.integer({ min: now - 10 * day, max: now + 400 * day })
  fc.assert(
    fc.property(
      instant,
      instant,
      fc.integer({ min: 1, max: 31 }),
      fc.integer({ min: now, max: now + day }),
      (a, b, windowDays, moment) => {
        const range = { startTime: Math.min(a, b), endTime: Math.max(a, b) }
        const windows = cutIntoWindows(range, { windowDays, now: moment })
        const [first] = windows
        const last = windows.at(-1)
        if (!first || !last) return range.endTime <= Math.max(range.startTime, moment + 2 * minute)
        return (
          first.startTime <= Math.max(range.startTime, moment + 2 * minute) &&
          last.endTime >= range.endTime &&
          windows.every(
            ({ id, startTime, endTime }, index) =>
              id % (windowDays * day) === 0 &&
              startTime >= moment + minute &&
              startTime < endTime &&
              endTime - startTime <= windowDays * day &&
              (index === 0 || startTime === windows[index - 1]?.endTime)
          )
        )
      }
    )
  )
})
