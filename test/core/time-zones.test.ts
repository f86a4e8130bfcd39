import fc from 'fast-check'
import t from 'tap'
import { createLocalClock, createReader, listTimeZones, offsetMs } from '../../src/core/time-zones.ts'
import { minuteMs } from '../support/samples.ts'

const at = (text: string) => Date.parse(text)
const local = (zone: string, text: string) => createLocalClock(zone).format(at(text))
const quarterMs = 15 * minuteMs

t.test('local time carries the offset of that moment', async (t) => {
  t.equal(local('Europe/Berlin', '2026-12-01T15:00:00Z'), '2026-12-01T16:00:00+01:00')
  t.equal(local('Europe/Berlin', '2026-07-01T15:00:00Z'), '2026-07-01T17:00:00+02:00')
  t.equal(local('America/New_York', '2026-12-01T02:00:00Z'), '2026-11-30T21:00:00-05:00')
  t.equal(local('UTC', '2026-12-01T15:00:00Z'), '2026-12-01T15:00:00+00:00')
})

t.test('zones may be half an hour or three quarters apart, and their summer time too', async (t) => {
  t.equal(local('Asia/Kathmandu', '2026-12-01T00:00:00Z'), '2026-12-01T05:45:00+05:45')
  t.equal(local('America/St_Johns', '2026-12-01T00:00:00Z'), '2026-11-30T20:30:00-03:30')
  t.equal(local('Pacific/Chatham', '2026-12-01T00:00:00Z'), '2026-12-01T13:45:00+13:45')
  t.equal(local('Pacific/Marquesas', '2026-12-01T00:00:00Z'), '2026-11-30T14:30:00-09:30')
  t.equal(local('Australia/Lord_Howe', '2026-10-03T15:29:59Z'), '2026-10-04T01:59:59+10:30')
  t.equal(
    local('Australia/Lord_Howe', '2026-10-03T15:30:00Z'),
    '2026-10-04T02:30:00+11:00',
    'half an hour is skipped'
  )
})

t.test('an hour that is skipped does not exist, one that comes twice has two offsets', async (t) => {
  t.equal(local('Europe/Berlin', '2027-03-28T00:59:59Z'), '2027-03-28T01:59:59+01:00')
  t.equal(local('Europe/Berlin', '2027-03-28T01:00:00Z'), '2027-03-28T03:00:00+02:00')
  t.equal(local('Europe/Berlin', '2026-10-25T00:30:00Z'), '2026-10-25T02:30:00+02:00')
  t.equal(local('Europe/Berlin', '2026-10-25T01:30:00Z'), '2026-10-25T02:30:00+01:00')
  t.equal(local('America/New_York', '2026-11-01T05:59:59Z'), '2026-11-01T01:59:59-04:00')
  t.equal(local('America/New_York', '2026-11-01T06:00:00Z'), '2026-11-01T01:00:00-05:00')
})

t.test('a day is as long as its zone makes it', async (t) => {
  const hours = (zone: string, day: string) => {
    const clock = createLocalClock(zone)
    const noon = at(`${day}T12:00:00Z`)
    const quarters = Array.from({ length: 240 }, (_, n) => noon + (n - 120) * quarterMs)
    return quarters.filter((moment) => clock.date(moment) === day).length / 4
  }
  t.equal(hours('Europe/Berlin', '2026-12-01'), 24)
  t.equal(hours('Europe/Berlin', '2027-03-28'), 23)
  t.equal(hours('Europe/Berlin', '2026-10-25'), 25)
  t.equal(hours('America/New_York', '2027-03-14'), 23)
  t.equal(hours('America/New_York', '2026-11-01'), 25)
  t.equal(hours('Australia/Lord_Howe', '2026-10-04'), 23.5)
  t.equal(hours('Pacific/Apia', '2011-12-30'), 0, 'a day that Samoa left out')
})

t.test('local time is the same moment, as Intl writes it, in every zone', async () => {
  const zones = Intl.supportedValuesOf('timeZone')
  const seconds = fc.integer({
    min: at('2020-01-01T00:00:00Z') / 1000,
    max: at('2037-01-01T00:00:00Z') / 1000
  })
  fc.assert(
    fc.property(fc.constantFrom(...zones), seconds, (zone, second) => {
      const text = local(zone, new Date(second * 1000).toISOString())
      const format = new Intl.DateTimeFormat('sv-SE', {
        timeZone: zone,
        dateStyle: 'short',
        timeStyle: 'medium'
      })
      return (
        at(text) === second * 1000 && text.slice(0, 19).replace('T', ' ') === format.format(second * 1000)
      )
    }),
    { numRuns: 500 }
  )
})

t.test('minutes of the day are those of the clock, on a day of any length', async (t) => {
  const minuteOf = (zone: string, text: string) => createLocalClock(zone).minuteOfDay(at(text))
  t.equal(minuteOf('UTC', '2026-12-01T00:00:00Z'), 0)
  t.equal(minuteOf('UTC', '2026-12-01T23:59:59Z'), 1_439)
  t.equal(minuteOf('Asia/Kathmandu', '2026-12-01T00:00:00Z'), 5 * 60 + 45)
  t.equal(minuteOf('America/New_York', '1969-12-31T23:30:00Z'), 18 * 60 + 30)
  t.equal(minuteOf('Europe/Berlin', '2026-10-25T00:30:00Z'), 2 * 60 + 30)
  t.equal(minuteOf('Europe/Berlin', '2026-10-25T01:30:00Z'), 2 * 60 + 30, 'an hour later')
})

t.test('a remembered offset serves no moment on the other side of a change', async (t) => {
  const change = at('2026-10-25T01:00:00Z')
  const clock = createLocalClock('Europe/Berlin')
  const minutes = Array.from({ length: 240 }, (_, n) => change + (n - 120) * minuteMs)
  t.ok(minutes.every((moment) => at(clock.format(moment)) === moment))
  t.equal(offsetMs('Europe/Berlin', change - 1), 120 * minuteMs)
  t.equal(offsetMs('Europe/Berlin', change), 60 * minuteMs)
})

t.test('the list has every zone once, with its offset and abbreviation at that moment', async (t) => {
  const winter = new Map(listTimeZones(at('2026-12-01T12:00:00Z')).map((zone) => [zone.name, zone]))
  const summer = new Map(listTimeZones(at('2026-07-01T12:00:00Z')).map((zone) => [zone.name, zone]))
  t.ok(winter.size > 400)
  t.equal(listTimeZones(0).length, winter.size)
  t.match(winter.get('UTC'), { offsetMinutes: 0, abbreviation: 'UTC' })
  t.match(winter.get('America/New_York'), { offsetMinutes: -300, abbreviation: 'EST' })
  t.match(summer.get('America/New_York'), { offsetMinutes: -240, abbreviation: 'EDT' })
  t.match(winter.get('Australia/Lord_Howe'), { offsetMinutes: 660 })
  t.match(summer.get('Australia/Lord_Howe'), { offsetMinutes: 630 })
})

t.test('a reader’s rendering follows language and zone', async (t) => {
  const moment = at('2026-12-01T15:00:00Z')
  t.match(createReader('Europe/Berlin', 'de')(moment), /^Dienstag, 1\. Dezember 2026 um 16:00 MEZ$/)
  t.match(createReader('America/New_York', 'en-US')(moment), /^Tuesday, December 1, 2026 at 10:00\sAM EST$/)
})
