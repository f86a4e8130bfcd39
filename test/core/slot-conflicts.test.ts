import t from 'tap'
import type { Claim } from '../../src/core/booking-tables.ts'
import { AppError } from '../../src/core/errors.ts'
import { createSlotConflicts } from '../../src/core/slot-conflicts.ts'
import { aBooking, anEventType, host, meeting, minuteMs, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'

const hourMs = 60 * minuteMs
const theirs: Claim = {
  ownerId: 'bkg_9',
  session: 'bkg_9',
  host,
  startTime: tuesday,
  endTime: tuesday + 15 * minuteMs
}

/** Conflicts in a world with these claims and open times, in hours from `tuesday`. */
function open({ claims = [] as Claim[], hours = [] as number[], isAway = false } = {}) {
  const ranges: number[][] = []
  const conflicts = createSlotConflicts({
    system: fakeSystem(tuesday - 24 * hourMs),
    reads: { claimsBetween: async () => claims },
    calendly: { getEventType: async () => anEventType() },
    openTimes: async (_tenantId, eventType, startTime, endTime) => {
      ranges.push([startTime, endTime])
      if (isAway) throw new AppError('calendly_unavailable')
      const slots = hours.map((hour) => ({
        eventType: eventType.uri,
        startTime: tuesday + hour * hourMs,
        endTime: tuesday + hour * hourMs + 30 * minuteMs,
        spotsRemaining: 1
      }))
      return { slots, excluded: [], asOf: tuesday, stale: false }
    }
  })
  return { ...conflicts, ranges }
}

t.test('a slot is lost to a claim of somebody else', async (t) => {
  const { refuseIfClaimed } = open({ claims: [theirs] })
  await t.rejects(refuseIfClaimed(aBooking(), 'all'), {
    code: 'slot_unavailable',
    members: {
      conflicts: [{ kind: 'booking', start_time: '2026-12-01T10:00:00Z', end_time: '2026-12-01T10:15:00Z' }],
      alternatives: []
    }
  })
})

t.test('a slot is not lost to one’s own claim or to one’s own session', async (t) => {
  const group = aBooking({ isGroup: true })
  await t.resolves(open({ claims: [{ ...theirs, ownerId: 'bkg_1' }] }).refuseIfClaimed(aBooking(), 'all'))
  const seat = { ...theirs, session: `${meeting}@${tuesday}` }
  await t.resolves(open({ claims: [seat] }).refuseIfClaimed(group, 'all'))
  await t.resolves(open().refuseIfClaimed(aBooking(), 'all'))
})

t.test('a slot of a pool is lost when every host is taken', async (t) => {
  const pool = aBooking({ hosts: [{ user: host }, { user: 'B' }] })
  await t.resolves(open({ claims: [theirs] }).refuseIfClaimed(pool, 'any'))
  await t.rejects(open({ claims: [theirs, { ...theirs, host: 'B' }] }).refuseIfClaimed(pool, 'any'))
})

t.test('who loses is offered the nearest five open times, in their own zone', async (t) => {
  const { lost, ranges } = open({ hours: [0, -20, -1, 1, 3, 30, 48, 15] })
  const { members } = await lost(aBooking())
  const offered = members.alternatives as {
    start_time: string
    local_start_time: string
    score: number
    reasons: string[]
  }[]
  t.same(
    offered.map(({ start_time }) => (Date.parse(start_time) - tuesday) / hourMs),
    [-1, 1, 3, 15, -20]
  )
  t.match(offered[0], {
    event_type: meeting,
    local_start_time: '2026-12-01T10:00:00+01:00',
    reasons: ['nearest', 'same_day']
  })
  t.same(offered.at(-1)?.reasons, [], 'the day before')
  const scores = offered.map(({ score }) => score)
  t.same(
    scores,
    scores.toSorted((a, b) => b - a)
  )
  t.same(ranges, [[tuesday - 24 * hourMs, tuesday + 7 * 24 * hourMs]], 'from now at the earliest')
})

t.test('a slot that only Calendly refused is outside its availability', async (t) => {
  const { members } = await open().lost(aBooking())
  t.match(members.conflicts, [{ kind: 'outside_availability', start_time: '2026-12-01T10:00:00Z' }])
})

t.test('a slot is lost all the same when nothing can be offered instead', async (t) => {
  const { code, members } = await open({ isAway: true }).lost(aBooking())
  t.equal(code, 'slot_unavailable')
  t.same(members.alternatives, [])
})

t.test('all who lose one slot at a time share one look at what is left', async (t) => {
  const { lost, ranges } = open({ hours: [1] })
  const all = await Promise.all(Array.from({ length: 50 }, (_, n) => lost(aBooking({ id: `bkg_${n}` }))))
  t.equal(ranges.length, 1)
  t.ok(all.every(({ members }) => members.alternatives === all[0]?.members.alternatives))
  await lost(aBooking())
  t.equal(ranges.length, 2, 'and the next one looks anew')
})
