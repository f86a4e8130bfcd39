import t from 'tap'
import {
  decide,
  defaultPolicy,
  faultsOfTiers,
  isSamePolicy,
  type Occasion,
  type RefundPolicy
} from '../../src/core/refund-policy.ts'

const hourMs = 3_600_000
const start = Date.parse('2026-12-01T15:00:00Z')
const before = (hours: number, ms = 0) => start - hours * hourMs + ms

const tiers = (...pairs: [noticeHours: number, percent: number][]) =>
  pairs.map(([noticeHours, percent]) => ({ noticeHours, percentHundredths: Math.round(percent * 100) }))
const policy = (changes: Partial<RefundPolicy>): RefundPolicy => ({
  ...defaultPolicy,
  name: 'other',
  ...changes
})

const withoutZero = policy({ tiers: tiers([48, 100], [24, 50]) })
const fine = policy({ tiers: tiers([72, 99.99], [36.5, 33.33], [1.1, 0.01]) })
const allOrNothing = policy({ tiers: tiers([0, 100]) })
const sticky = policy({ clock: 'first_start' })
const hard = policy({ hostCancelPercentHundredths: 2_550, noShowPercentHundredths: 1_005 })

type Row = [title: string, occasion: Partial<Occasion>, percent: number, rule: string]

const cases: [title: string, policy: RefundPolicy, rows: Row[]][] = [
  [
    'the built-in policy',
    defaultPolicy,
    [
      ['a year before', { at: before(8_760) }, 100, 'notice_24h'],
      ['25 hours before', { at: before(25) }, 100, 'notice_24h'],
      ['24 hours and 1 ms before', { at: before(24, -1) }, 100, 'notice_24h'],
      ['24 hours before, exactly', { at: before(24) }, 100, 'notice_24h'],
      ['24 hours less 1 ms before', { at: before(24, 1) }, 50, 'notice_12h'],
      ['18 hours before', { at: before(18) }, 50, 'notice_12h'],
      ['12 hours and 1 ms before', { at: before(12, -1) }, 50, 'notice_12h'],
      ['12 hours before, exactly', { at: before(12) }, 50, 'notice_12h'],
      ['12 hours less 1 ms before', { at: before(12, 1) }, 0, 'notice_0h'],
      ['an hour before', { at: before(1) }, 0, 'notice_0h'],
      ['1 ms before', { at: before(0, -1) }, 0, 'notice_0h'],
      ['at the start', { at: start }, 0, 'notice_0h'],
      ['1 ms after the start', { at: before(0, 1) }, 0, 'after_start'],
      ['a day after the start', { at: before(-24) }, 0, 'after_start']
    ]
  ],
  [
    'who cancels, under the built-in policy',
    defaultPolicy,
    [
      ['the host, a day before', { at: before(24), cancelerType: 'host' }, 100, 'host_cancel'],
      ['the host, an hour before', { at: before(1), cancelerType: 'host' }, 100, 'host_cancel'],
      ['the host, 1 ms before', { at: before(0, -1), cancelerType: 'host' }, 100, 'host_cancel'],
      ['the host, who never came', { at: before(-1), cancelerType: 'host' }, 100, 'host_cancel'],
      ['the system, an hour before', { at: before(1), cancelerType: 'system' }, 100, 'system_cancel'],
      ['the system, afterwards', { at: before(-1), cancelerType: 'system' }, 100, 'system_cancel'],
      ['the invitee, an hour before', { at: before(1), cancelerType: 'invitee' }, 0, 'notice_0h'],
      ['nobody came', { at: before(-1), trigger: 'no_show' }, 0, 'no_show'],
      ['nobody came, marked before the start', { at: before(30), trigger: 'no_show' }, 0, 'no_show']
    ]
  ],
  [
    'a host who gives a part, and something for a no-show',
    hard,
    [
      ['the host, a week before', { at: before(168), cancelerType: 'host' }, 25.5, 'host_cancel'],
      ['the host, an hour before', { at: before(1), cancelerType: 'host' }, 25.5, 'host_cancel'],
      ['the system, an hour before', { at: before(1), cancelerType: 'system' }, 25.5, 'system_cancel'],
      ['the invitee, a week before', { at: before(168) }, 100, 'notice_24h'],
      ['nobody came', { at: before(-1), trigger: 'no_show' }, 10.05, 'no_show'],
      ['nobody came, a month later', { at: before(-720), trigger: 'no_show' }, 10.05, 'no_show'],
      ['nobody came, as the host says', { trigger: 'no_show', cancelerType: 'host' }, 10.05, 'no_show']
    ]
  ],
  [
    'tiers that end above zero',
    withoutZero,
    [
      ['48 hours before, exactly', { at: before(48) }, 100, 'notice_48h'],
      ['48 hours less 1 ms before', { at: before(48, 1) }, 50, 'notice_24h'],
      ['24 hours before, exactly', { at: before(24) }, 50, 'notice_24h'],
      ['24 hours less 1 ms before', { at: before(24, 1) }, 0, 'notice_too_short'],
      ['1 ms before', { at: before(0, -1) }, 0, 'notice_too_short'],
      ['at the start', { at: start }, 0, 'notice_too_short'],
      ['1 ms after the start', { at: before(0, 1) }, 0, 'after_start'],
      ['the host, 1 ms before', { at: before(0, -1), cancelerType: 'host' }, 100, 'host_cancel']
    ]
  ],
  [
    'parts of hours and of percents',
    fine,
    [
      ['72 hours before, exactly', { at: before(72) }, 99.99, 'notice_72h'],
      ['72 hours less 1 ms before', { at: before(72, 1) }, 33.33, 'notice_36.5h'],
      ['36 and a half hours before, exactly', { at: before(36.5) }, 33.33, 'notice_36.5h'],
      ['36 and a half hours less 1 ms before', { at: before(36.5, 1) }, 0.01, 'notice_1.1h'],
      ['66 minutes before, exactly', { at: start - 66 * 60_000 }, 0.01, 'notice_1.1h'],
      ['66 minutes less 1 ms before', { at: start - 66 * 60_000 + 1 }, 0, 'notice_too_short']
    ]
  ],
  [
    'everything until the start',
    allOrNothing,
    [
      ['a year before', { at: before(8_760) }, 100, 'notice_0h'],
      ['1 ms before', { at: before(0, -1) }, 100, 'notice_0h'],
      ['at the start', { at: start }, 100, 'notice_0h'],
      ['1 ms after the start', { at: before(0, 1) }, 0, 'after_start']
    ]
  ],
  [
    'moved away and then canceled, by the present start',
    defaultPolicy,
    [
      ['an hour before the first', { at: before(169), firstStartTime: before(168) }, 100, 'notice_24h'],
      ['after the first', { at: before(160), firstStartTime: before(168) }, 100, 'notice_24h'],
      ['brought forward', { at: before(1), firstStartTime: before(-168) }, 0, 'notice_0h']
    ]
  ],
  [
    'moved away and then canceled, by the first start',
    sticky,
    [
      ['never moved, 24 hours before', { at: before(24) }, 100, 'notice_24h'],
      ['never moved, 24 hours less 1 ms before', { at: before(24, 1) }, 50, 'notice_12h'],
      ['24 hours before the first', { at: before(192), firstStartTime: before(168) }, 100, 'notice_24h'],
      [
        '24 hours less 1 ms before the first',
        { at: before(192, 1), firstStartTime: before(168) },
        50,
        'notice_12h'
      ],
      [
        '12 hours less 1 ms before the first',
        { at: before(180, 1), firstStartTime: before(168) },
        0,
        'notice_0h'
      ],
      [
        'an hour before the first, moved by a week',
        { at: before(169), firstStartTime: before(168) },
        0,
        'notice_0h'
      ],
      ['at the first', { at: before(168), firstStartTime: before(168) }, 0, 'notice_0h'],
      [
        '1 ms after the first, days before the present',
        { at: before(168, 1), firstStartTime: before(168) },
        0,
        'after_start'
      ],
      [
        'the host, after the first',
        { at: before(160), firstStartTime: before(168), cancelerType: 'host' },
        100,
        'host_cancel'
      ],
      ['brought forward, before it', { at: before(1), firstStartTime: before(-168) }, 100, 'notice_24h'],
      ['brought forward, after it', { at: before(-1), firstStartTime: before(-168) }, 0, 'after_start']
    ]
  ],
  [
    'nights on which clocks change: hours are those that pass',
    defaultPolicy,
    [
      [
        'Berlin, an hour more: the same time a day before is 25 hours',
        { at: Date.parse('2026-10-24T15:00:00+02:00'), startTime: Date.parse('2026-10-25T15:00:00+01:00') },
        100,
        'notice_24h'
      ],
      [
        'Berlin, an hour more: 23 and a half by the clock are 24 and a half',
        { at: Date.parse('2026-10-24T15:30:00+02:00'), startTime: Date.parse('2026-10-25T15:00:00+01:00') },
        100,
        'notice_24h'
      ],
      [
        'Berlin, an hour more: 24 hours exactly',
        { at: Date.parse('2026-10-24T16:00:00+02:00'), startTime: Date.parse('2026-10-25T15:00:00+01:00') },
        100,
        'notice_24h'
      ],
      [
        'Berlin, an hour more: 1 ms less',
        {
          at: Date.parse('2026-10-24T16:00:00.001+02:00'),
          startTime: Date.parse('2026-10-25T15:00:00+01:00')
        },
        50,
        'notice_12h'
      ],
      [
        'Berlin, an hour less: the same time a day before is 23 hours',
        { at: Date.parse('2026-03-28T15:00:00+01:00'), startTime: Date.parse('2026-03-29T15:00:00+02:00') },
        50,
        'notice_12h'
      ],
      [
        'Berlin, an hour less: 25 by the clock are 24 exactly',
        { at: Date.parse('2026-03-28T14:00:00+01:00'), startTime: Date.parse('2026-03-29T15:00:00+02:00') },
        100,
        'notice_24h'
      ],
      [
        'New York, an hour less: 12 and a half by the clock are 11 and a half',
        { at: Date.parse('2026-03-07T21:30:00-05:00'), startTime: Date.parse('2026-03-08T10:00:00-04:00') },
        0,
        'notice_0h'
      ],
      [
        'New York, an hour more: 11 by the clock are 12 exactly',
        { at: Date.parse('2026-10-31T23:00:00-04:00'), startTime: Date.parse('2026-11-01T10:00:00-05:00') },
        50,
        'notice_12h'
      ]
    ]
  ]
]

for (const [title, policy, rows] of cases) {
  t.test(`what it gives: ${title}`, async (t) => {
    for (const [title, changes, percent, rule] of rows) {
      const { startTime = start } = changes
      const occasion = {
        ...({ trigger: 'cancellation', cancelerType: 'invitee', at: before(24) } as const),
        ...{ startTime, firstStartTime: startTime, ...changes }
      }
      const counted = policy.clock === 'first_start' ? occasion.firstStartTime : startTime
      t.same(
        decide(policy, occasion),
        { percentHundredths: Math.round(percent * 100), rule, noticeMs: counted - occasion.at },
        title
      )
    }
  })
}

t.test('tiers that make no policy are named, each at its place', async (t) => {
  t.same(faultsOfTiers(defaultPolicy.tiers), [])
  t.same(faultsOfTiers(tiers([0, 0])), [])
  t.same(faultsOfTiers(tiers([48, 50], [24, 50], [0, 50])), [], 'less notice may give the same')
  const places = (...pairs: [number, number][]) =>
    faultsOfTiers(tiers(...pairs)).map(({ pointer }) => pointer)
  t.same(places(), ['#/tiers'])
  t.same(places(...Array.from({ length: 21 }, (_, index): [number, number] => [21 - index, 50])), ['#/tiers'])
  t.same(places(...Array.from({ length: 20 }, (_, index): [number, number] => [20 - index, 50])), [])
  t.same(places([24, 100], [24, 50]), ['#/tiers/1/notice_hours'], 'twice the same notice')
  t.same(places([12, 100], [24, 100], [0, 0]), ['#/tiers/1/notice_hours'], 'not by falling notice')
  t.same(places([24, 50], [12, 50.01]), ['#/tiers/1/percent'], 'more for less notice')
  t.same(places([0, 0], [24, 100]), ['#/tiers/1/notice_hours', '#/tiers/1/percent'], 'upside down')
})

t.test('a policy is the same where it gives the same, whatever its version', async (t) => {
  t.ok(isSamePolicy(defaultPolicy, { ...defaultPolicy, version: 7 }))
  t.notOk(isSamePolicy(defaultPolicy, sticky))
  t.notOk(isSamePolicy(defaultPolicy, withoutZero))
  t.notOk(isSamePolicy(defaultPolicy, { ...defaultPolicy, hostCancelPercentHundredths: 9_999 }))
  t.notOk(isSamePolicy(defaultPolicy, { ...defaultPolicy, noShowPercentHundredths: 1 }))
})
