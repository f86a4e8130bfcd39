import fc from 'fast-check'
import t from 'tap'
import { type OpenTime, rankAlternatives } from '../../src/core/alternatives.ts'
import { meeting, minuteMs, tuesday } from '../support/samples.ts'

const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const zone = 'Europe/Berlin'
/** Eleven in the morning in Berlin. */
const asked = { eventType: meeting, startTime: tuesday }

/** Half an hour, so many hours from what was asked for. */
const open = (hours: number, changes: Partial<OpenTime> = {}): OpenTime => ({
  eventType: meeting,
  startTime: tuesday + hours * hourMs,
  endTime: tuesday + hours * hourMs + 30 * minuteMs,
  isSameHost: true,
  ...changes
})

const hoursOf = (times: readonly { startTime: number }[]) =>
  times.map(({ startTime }) => (startTime - tuesday) / hourMs)

t.test(
  'the five best are offered, with the reasons for each and its time in the invitee’s zone',
  async (t) => {
    const hours = [-24, -1, 0, 0.5, 4, 12, 23, 24, 30, 72]
    const offered = rankAlternatives(
      asked,
      hours.map((hour) => open(hour)),
      zone
    )
    t.same(hoursOf(offered), [0.5, -1, 4, 23, -24])
    t.same(offered[0], {
      eventType: meeting,
      startTime: tuesday + 30 * minuteMs,
      endTime: tuesday + hourMs,
      localStartTime: '2026-12-01T11:30:00+01:00',
      score: 0.992,
      reasons: ['nearest', 'same_day', 'same_time_of_day', 'same_host', 'waking_hours']
    })
    t.same(offered[2]?.reasons, ['same_day', 'same_host', 'waking_hours'], 'in the afternoon')
    t.same(offered[3]?.reasons, ['same_time_of_day', 'same_host', 'waking_hours'], 'on the next day')
  }
)

t.test('days, times of day and waking hours are those of the invitee', async (t) => {
  const reasons = (hours: number, timeZone: string) =>
    rankAlternatives(asked, [open(hours), open(0.5)], timeZone).find(
      ({ startTime }) => startTime === tuesday + hours * hourMs
    )?.reasons
  t.same(reasons(6, zone), ['same_day', 'same_host', 'waking_hours'], 'five in the afternoon')
  t.same(reasons(6, 'Asia/Tokyo'), ['same_host'], 'one at night, of the next day')
  t.same(reasons(6, 'America/Los_Angeles'), ['same_day', 'same_host', 'waking_hours'])
  const changed = { eventType: meeting, startTime: Date.parse('2026-10-24T14:00:00Z') }
  const [across] = rankAlternatives(
    changed,
    [open(0, { startTime: changed.startTime + 25 * hourMs, endTime: changed.startTime + 26 * hourMs })],
    zone
  )
  t.ok(across?.reasons.includes('same_time_of_day'), 'across a change of the clocks')
})

t.test('waking hours are from eight to ten, and whoever sleeps by then is not kept up', async (t) => {
  const isAwake = (local: string) => {
    const startTime = Date.parse(`2026-12-02T${local}:00+01:00`)
    const [time] = rankAlternatives(asked, [open(0, { startTime, endTime: startTime + 30 * minuteMs })], zone)
    return time?.reasons.includes('waking_hours')
  }
  t.same(['07:59', '08:00', '21:30', '21:31', '23:45'].map(isAwake), [false, true, true, false, false])
})

t.test('the time of day is the same within an hour of the clock, over midnight too', async (t) => {
  const isSame = (askedAt: string, offeredAt: string) => {
    const startTime = Date.parse(offeredAt)
    const [time] = rankAlternatives(
      { eventType: meeting, startTime: Date.parse(askedAt) },
      [open(0, { startTime, endTime: startTime + 30 * minuteMs })],
      'UTC'
    )
    return time?.reasons.includes('same_time_of_day')
  }
  t.ok(isSame('2026-12-01T10:00:00Z', '2026-12-03T11:00:00Z'))
  t.notOk(isSame('2026-12-01T10:00:00Z', '2026-12-03T11:01:00Z'))
  t.ok(isSame('2026-12-01T23:45:00Z', '2026-12-03T00:15:00Z'))
})

t.test(
  'of times as good as each other the earlier comes first, then the event type that sorts first',
  async (t) => {
    const times = [open(1, { eventType: 'b' }), open(1), open(-1), open(1, { eventType: 'a' })]
    const offered = rankAlternatives(asked, times, zone)
    t.same(
      offered.map(({ eventType, startTime }) => [(startTime - tuesday) / hourMs, eventType]),
      [
        [-1, meeting],
        [1, 'a'],
        [1, 'b'],
        [1, meeting]
      ]
    )
    t.equal(new Set(offered.map(({ score }) => score)).size, 1)
  }
)

t.test('the asked time is no alternative to itself, but another event type at that time is', async (t) => {
  const other = open(0, { eventType: 'other', isSameHost: false })
  const offered = rankAlternatives(asked, [open(0), open(1), other], zone)
  t.same(
    offered.map(({ eventType, reasons }) => [
      eventType,
      reasons.includes('nearest'),
      reasons.includes('same_host')
    ]),
    [
      [meeting, false, true],
      ['other', true, false]
    ]
  )
  t.same(rankAlternatives(asked, [], zone), [])
  t.same(rankAlternatives(asked, [open(0)], zone), [])
})

t.test(
  'whatever is open, scores are thousandths that never ascend, and the order of finding does not matter',
  async () => {
    const time = fc.record({
      eventType: fc.constantFrom('a', 'b', meeting),
      startTime: fc
        .integer({ min: -31 * 96, max: 31 * 96 })
        .map((quarters) => tuesday + quarters * 15 * minuteMs),
      isSameHost: fc.boolean()
    })
    const times = fc
      .uniqueArray(time, {
        selector: ({ eventType, startTime }) => `${eventType} ${startTime}`,
        maxLength: 60
      })
      .map((found) => found.map((one) => ({ ...one, endTime: one.startTime + 30 * minuteMs })))
    fc.assert(
      fc.property(
        times.chain((found) =>
          fc.tuple(fc.constant(found), fc.shuffledSubarray(found, { minLength: found.length }))
        ),
        fc.constantFrom(zone, 'Asia/Kathmandu', 'America/New_York', 'Pacific/Kiritimati'),
        ([found, shuffled], timeZone) => {
          const offered = rankAlternatives(asked, found, timeZone)
          const scores = offered.map(({ score }) => score)
          return (
            offered.length <= 5 &&
            JSON.stringify(offered) === JSON.stringify(rankAlternatives(asked, shuffled, timeZone)) &&
            scores.every((score, n) => score <= (scores[n - 1] ?? 1) && score >= 0) &&
            scores.every((score) => Number(score.toFixed(3)) === score)
          )
        }
      )
    )
  }
)

t.test('a near time beats a far one that is as good otherwise', async (t) => {
  const nearer = rankAlternatives(asked, [open(5 * 24), open(24), open(-48)], zone)
  t.same(hoursOf(nearer), [24, -48, 120])
  t.equal(nearer[0]?.startTime, tuesday + dayMs)
})
