import fc from 'fast-check'
import t from 'tap'
import { formatInstant, parseInstant } from '../../src/core/instants.ts'

t.test('an instant is read with any offset, letter case and fraction', async (t) => {
  const noon = Date.UTC(2026, 11, 1, 12)
  for (const text of [
    '2026-12-01T12:00:00Z',
    '2026-12-01t12:00:00z',
    '2026-12-01T13:00:00+01:00',
    '2026-12-01T17:45:00+05:45',
    '2026-11-30T23:00:00-13:00',
    '2026-12-01T12:00:00.000000Z'
  ]) {
    t.equal(parseInstant(text), noon, text)
  }
  t.equal(parseInstant('2026-12-01T12:00:00.123456Z'), noon + 123, 'microseconds are cut off')
})

t.test('a time without an offset is refused as such', async (t) => {
  for (const text of ['2026-12-01T12:00:00', '2026-12-01T12:00:00.5']) {
    t.throws(() => parseInstant(text), { code: 'local_time' }, text)
  }
})

t.test('what names no moment is refused', async (t) => {
  for (const text of [
    '',
    'tomorrow',
    '2026-12-01',
    '2026-12-01T12:00Z',
    '2026-12-01 12:00:00Z',
    '2026-02-30T12:00:00Z',
    '2027-02-29T12:00:00Z',
    '2026-13-01T12:00:00Z',
    '2026-12-01T25:00:00Z',
    '2026-12-01T12:60:00Z',
    '2026-12-01T12:00:00+1:00',
    '2026-12-01T12:00:00+0100',
    ' 2026-12-01T12:00:00Z',
    '2026-12-01T12:00:00Z\n',
    '1796119200'
  ]) {
    t.throws(() => parseInstant(text), { code: 'validation_failed' }, JSON.stringify(text))
  }
})

t.test('a leap day is a day', async (t) => {
  t.equal(parseInstant('2028-02-29T00:00:00Z'), Date.UTC(2028, 1, 29))
})

t.test('an instant is written in UTC, with milliseconds only where there are some', async (t) => {
  t.equal(formatInstant(Date.UTC(2026, 11, 1, 12)), '2026-12-01T12:00:00Z')
  t.equal(formatInstant(Date.UTC(2026, 11, 1, 12, 0, 0, 7)), '2026-12-01T12:00:00.007Z')
})

t.test('what was written is read as the same instant', async () => {
  const range = { min: Date.UTC(1970, 0, 1), max: Date.UTC(2100, 0, 1) }
  fc.assert(fc.property(fc.integer(range), (at) => parseInstant(formatInstant(at)) === at))
})
