import fc from 'fast-check'
import t from 'tap'
import { dayOf, instantOf } from '../../src/core/days.ts'
import { createLocalClock } from '../../src/core/time-zones.ts'
import { minuteMs } from '../support/samples.ts'

const hourMs = 60 * minuteMs
const at = (text: string) => Date.parse(text)
const wall = (text: string) => at(`${text}Z`)
const shown = (zone: string, text: string) => createLocalClock(zone).format(instantOf(zone, wall(text)))

/** Start and length, in hours, of the day that a moment belongs to. */
function day(zone: string, moment: string) {
  const { date, startsAt, endsAt } = dayOf(zone, at(moment))
  return [date, createLocalClock(zone).format(startsAt), (endsAt - startsAt) / hourMs]
}

t.test('a wall-clock time is the moment at which the zone’s clocks show it', async (t) => {
  t.equal(shown('Europe/Berlin', '2026-12-01T16:00'), '2026-12-01T16:00:00+01:00')
  t.equal(shown('Asia/Kolkata', '2026-12-01T09:15'), '2026-12-01T09:15:00+05:30')
  t.equal(shown('Asia/Kathmandu', '2026-12-01T00:00'), '2026-12-01T00:00:00+05:45')
  t.equal(shown('Australia/Eucla', '2026-12-01T12:45'), '2026-12-01T12:45:00+08:45')
  t.equal(shown('Pacific/Chatham', '2026-12-01T12:45'), '2026-12-01T12:45:00+13:45')
  t.equal(shown('Pacific/Kiritimati', '2026-12-01T23:59'), '2026-12-01T23:59:00+14:00')
  t.equal(shown('Pacific/Pago_Pago', '2026-12-01T00:01'), '2026-12-01T00:01:00-11:00')
})

t.test('a time that is skipped is moved forward by what was skipped', async (t) => {
  t.equal(shown('Europe/Berlin', '2027-03-28T02:30'), '2027-03-28T03:30:00+02:00')
  t.equal(shown('America/New_York', '2027-03-14T02:00'), '2027-03-14T03:00:00-04:00')
  t.equal(shown('Australia/Lord_Howe', '2026-10-04T02:15'), '2026-10-04T02:45:00+11:00', 'half an hour')
  t.equal(shown('Africa/Cairo', '2026-04-24T00:30'), '2026-04-24T01:30:00+03:00', 'at midnight')
  t.equal(shown('Pacific/Apia', '2011-12-30T12:00'), '2011-12-31T12:00:00+14:00', 'a whole day')
})

t.test('of a time that comes twice it is the first', async (t) => {
  t.equal(shown('Europe/Berlin', '2026-10-25T02:30'), '2026-10-25T02:30:00+02:00')
  t.equal(shown('Europe/Berlin', '2026-10-25T03:00'), '2026-10-25T03:00:00+01:00')
  t.equal(shown('America/New_York', '2026-11-01T01:59'), '2026-11-01T01:59:00-04:00')
  t.equal(shown('Australia/Lord_Howe', '2026-04-05T01:45'), '2026-04-05T01:45:00+11:00')
  t.equal(shown('Africa/Cairo', '2026-10-29T23:30'), '2026-10-29T23:30:00+03:00', 'before midnight')
})

t.test('a day has 23, 24 or 25 hours, in Lord Howe 23.5 or 24.5', async (t) => {
  t.same(day('UTC', '2026-12-01T15:00:00Z'), ['2026-12-01', '2026-12-01T00:00:00+00:00', 24])
  t.same(day('Europe/Berlin', '2027-03-28T12:00:00Z'), ['2027-03-28', '2027-03-28T00:00:00+01:00', 23])
  t.same(day('Europe/Berlin', '2026-10-25T12:00:00Z'), ['2026-10-25', '2026-10-25T00:00:00+02:00', 25])
  t.same(day('America/New_York', '2026-11-02T04:59:59Z'), ['2026-11-01', '2026-11-01T00:00:00-04:00', 25])
  t.same(day('Australia/Lord_Howe', '2026-10-04T00:00:00Z'), [
    '2026-10-04',
    '2026-10-04T00:00:00+10:30',
    23.5
  ])
  t.same(day('Australia/Lord_Howe', '2026-04-05T00:00:00Z'), [
    '2026-04-05',
    '2026-04-05T00:00:00+11:00',
    24.5
  ])
})

t.test('a day whose midnight is skipped begins when it has been', async (t) => {
  t.same(day('America/Sao_Paulo', '2018-11-04T12:00:00Z'), ['2018-11-04', '2018-11-04T01:00:00-02:00', 23])
  t.same(day('Africa/Cairo', '2026-04-24T12:00:00Z'), ['2026-04-24', '2026-04-24T01:00:00+03:00', 23])
  t.same(day('Asia/Beirut', '2026-03-29T12:00:00Z'), ['2026-03-29', '2026-03-29T01:00:00+03:00', 23])
  t.same(day('America/Nuuk', '2026-03-28T12:00:00Z')[2], 23, 'where the evening before is skipped')
})

t.test('a day whose evening comes twice is longer, and one that was left out is nobody’s', async (t) => {
  t.same(day('Africa/Cairo', '2026-10-29T20:45:00Z'), ['2026-10-29', '2026-10-29T00:00:00+03:00', 25])
  t.same(day('Pacific/Apia', '2011-12-30T09:59:59Z'), ['2011-12-29', '2011-12-29T00:00:00-10:00', 24])
  t.same(day('Pacific/Apia', '2011-12-30T10:00:00Z'), ['2011-12-31', '2011-12-31T00:00:00+14:00', 24])
  t.same(
    day('America/St_Johns', '2010-11-07T02:45:00Z'),
    ['2010-11-07', '2010-11-07T00:00:00-02:30', 25],
    'set back from a minute past midnight: the day had begun'
  )
})

const zones = ['UTC', ...Intl.supportedValuesOf('timeZone')]
// Before that some zones changed their clocks in the first minute of a day.
const moments = fc.integer({
  min: at('2012-01-01T00:00:00Z') / minuteMs,
  max: at('2037-01-01T00:00:00Z') / minuteMs
})
const anyMoment = fc.tuple(
  fc.constantFrom(...zones),
  moments.map((minute) => minute * minuteMs)
)
const intlDates = new Map(
  zones.map((timeZone) => [timeZone, new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' })])
)
const intlDate = (zone: string, moment: number) => intlDates.get(zone)?.format(moment)

t.test(
  'in every zone days are what Intl calls the date, and follow each other without gap or overlap',
  async () => {
    fc.assert(
      fc.property(anyMoment, ([zone, moment]) => {
        const { date, startsAt, endsAt } = dayOf(zone, moment)
        return (
          startsAt <= moment &&
          moment < endsAt &&
          [startsAt, moment, endsAt - 1].every((inside) => intlDate(zone, inside) === date) &&
          [startsAt - 1, endsAt].every((outside) => intlDate(zone, outside) !== date) &&
          dayOf(zone, endsAt).startsAt === endsAt &&
          dayOf(zone, startsAt - 1).endsAt === startsAt
        )
      }),
      { numRuns: 500 }
    )
  }
)

t.test(
  'in every zone a moment is found again by its wall-clock time, or the first that shows the same',
  async () => {
    fc.assert(
      fc.property(anyMoment, ([zone, moment]) => {
        const clock = createLocalClock(zone)
        const text = clock.format(moment).slice(0, 16)
        const found = instantOf(zone, wall(text))
        return clock.format(found).slice(0, 16) === text && found <= moment && moment - found <= hourMs
      }),
      { numRuns: 500 }
    )
  }
)
