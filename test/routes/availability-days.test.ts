import t from 'tap'
import { wdays } from '../../src/sandbox/seed.ts'
import { standardSeed } from '../../src/sandbox/standard.ts'
import { engines } from '../support/database.ts'
import { openService, type Service } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import { availability, dayMs, iso, slotsOf } from './support/client.ts'

// From here 180 days reach over the end of summer time and its next beginning, in Europe and in America.
const now = Date.parse('2027-10-20T08:00:00Z')

const roundTheClock = {
  ...standardSeed,
  users: standardSeed.users.map((user) => ({
    ...user,
    rules: wdays.map((wday) => ({
      type: 'wday' as const,
      wday,
      intervals: wday === 'wednesday' ? [] : [{ from: '00:00', to: '23:30' }]
    }))
  }))
}

type Day = { date: string; slots: { start_time: string; local_start_time: string }[] }

async function daysIn(service: Service, timezone: string, query: Record<string, unknown> = {}) {
  const range = { start_time: iso(now), end_time: iso(now + 179 * dayMs) }
  const answer = await availability(service, { timezone, ...range, ...query })
  return new Map<string, Day['slots']>(answer.body.days.map(({ date, slots }: Day) => [date, slots]))
}

for (const engine of engines) {
  t.test(`the days of an answer (${engine})`, async (t) => {
    const system = movableSystem(now)
    const service = await openService(t, {
      engine,
      system,
      sandbox: { now: system.now, seed: roundTheClock }
    })

    t.test('a day is as long as daylight saving makes it', async (t) => {
      const days = await daysIn(service, 'Europe/Berlin')
      const lengths = ['2027-10-30', '2027-10-31', '2027-11-01', '2028-03-25', '2028-03-26', '2028-03-27']
      t.same(
        lengths.map((date) => days.get(date)?.length),
        [47, 49, 47, 47, 45, 47]
      )
    })

    t.test(
      'the hour that comes twice is told apart by its offset, the one left out is not offered',
      async (t) => {
        const days = await daysIn(service, 'Europe/Berlin')
        const atNight = (date: string) =>
          days
            .get(date)
            ?.map(({ local_start_time }) => local_start_time.slice(11))
            .filter((time) => /^0[1-3]/.test(time))
        t.same(atNight('2027-10-31'), [
          '01:00:00+02:00',
          '01:30:00+02:00',
          '02:00:00+02:00',
          '02:30:00+02:00',
          '02:00:00+01:00',
          '02:30:00+01:00',
          '03:00:00+01:00',
          '03:30:00+01:00'
        ])
        t.same(atNight('2028-03-26'), [
          '01:00:00+01:00',
          '01:30:00+01:00',
          '03:00:00+02:00',
          '03:30:00+02:00'
        ])
      }
    )

    for (const zone of [
      'America/New_York',
      'Pacific/Auckland',
      'Asia/Kathmandu',
      'Australia/Lord_Howe',
      'UTC'
    ]) {
      t.test(`in ${zone} every slot stands under its local date, through every change`, async (t) => {
        const days = await daysIn(service, zone)
        const date = new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' })
        const clock = new Intl.DateTimeFormat('en-GB', { timeZone: zone, timeStyle: 'medium' })
        const wrong = [...days].flatMap(([day, slots]) =>
          slots.filter(
            ({ start_time, local_start_time }) =>
              date.format(Date.parse(start_time)) !== day ||
              local_start_time.slice(0, 19) !== `${day}T${clock.format(Date.parse(start_time))}` ||
              Date.parse(local_start_time) !== Date.parse(start_time)
          )
        )
        t.ok(days.size > 150, `${days.size} days`)
        t.same(wrong, [])
        t.same([...days.keys()], [...days.keys()].sort())
      })
    }

    t.test('days without a slot are left out', async (t) => {
      const days = await daysIn(service, 'Europe/Berlin')
      const weekdays = [...days.keys()].map((day) => wdays[new Date(day).getUTCDay()])
      t.notOk(weekdays.includes('wednesday'))
      t.notOk([...days.values()].some((slots) => slots.length === 0))
    })

    t.test('a zone is answered by its proper name', async (t) => {
      t.equal((await availability(service, { timezone: 'europe/berlin' })).body.timezone, 'Europe/Berlin')
    })

    t.test('a locale adds each local time as its readers write it', async (t) => {
      const query = { start_time: '2027-12-02T00:00:00Z', end_time: '2027-12-03T00:00:00Z' }
      const [german] = slotsOf(await availability(service, { ...query, locale: 'de' }))
      t.match(german, {
        local_start_time: '2027-12-02T01:00:00+01:00',
        formatted_start_time: /^Donnerstag, 2\. Dezember 2027 um 01:00 MEZ$/,
        formatted_end_time: /01:30/
      })
      const [english] = slotsOf(await availability(service, { ...query, locale: 'en-US' }))
      t.match(english.formatted_start_time, /Thursday, December 2, 2027/)
      const [plain] = slotsOf(await availability(service, query))
      t.notOk('formatted_start_time' in plain)
      t.match(await availability(service, { ...query, locale: '!' }), {
        status: 400,
        body: { code: 'validation_failed', errors: [{ pointer: '#/locale' }] }
      })
    })
  })
}
