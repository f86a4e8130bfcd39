import t from 'tap'
import { createAlternativeSearch } from '../../src/core/alternative-search.ts'
import type { Claim } from '../../src/core/booking-tables.ts'
import { createCalendarConflicts } from '../../src/core/calendar-conflicts.ts'
import type { BusyTime, EventType } from '../../src/core/calendly.ts'
import type { Asked } from '../../src/core/conflict.ts'
import { createConflicts, type Loss } from '../../src/core/conflicts.ts'
import { AppError } from '../../src/core/errors.ts'
import { createOwnConflicts } from '../../src/core/own-conflicts.ts'
import { defaultSettings, type EventTypeSettings } from '../../src/core/settings.ts'
import { aBooking, anEventType, host, meeting, minuteMs, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'

const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** Somebody's claim, minutes from `tuesday`, with what is kept free around it. */
function claim(
  from: number,
  to: number,
  {
    ownerId = 'bkg_9',
    before = 0,
    after = 0,
    ...changes
  }: Partial<Claim> & { before?: number; after?: number } = {}
): Claim {
  const [startTime, endTime] = [tuesday + from * minuteMs, tuesday + to * minuteMs]
  return {
    ownerId,
    session: ownerId,
    host,
    startTime,
    endTime,
    busyFrom: startTime - before * minuteMs,
    busyTo: endTime + after * minuteMs,
    ...changes
  }
}

const wanted = (changes: Partial<Asked> = {}): Asked => ({
  tenantId: 'default',
  eventType: anEventType(),
  hosts: [host],
  startTime: tuesday,
  timeZone: 'Europe/Berlin',
  ...changes
})

const pool: Partial<Asked> = { eventType: anEventType({ poolingType: 'round_robin' }), hosts: [host, 'B'] }
const group: Partial<Asked> = { eventType: anEventType({ kind: 'group' }) }
const seatOf = (ownerId: string) => claim(0, 30, { ownerId, session: `${meeting}@${tuesday}` })

/** A world to lose a slot in; `open` are open times in hours from `tuesday`. */
function world() {
  return {
    now: tuesday - 2 * dayMs,
    claims: [] as Claim[],
    starts: [] as number[],
    seats: undefined as number | undefined,
    settings: {} as Partial<EventTypeSettings>,
    open: [] as number[],
    busy: [] as BusyTime[],
    isAway: false,
    isStale: false,
    changes: 0,
    /** Ranges that were searched, in days from `tuesday`. */
    searched: [] as number[][]
  }
}

function conflictsOf(state: ReturnType<typeof world>) {
  const system = { ...fakeSystem(), now: () => state.now }
  const assertThere = () => {
    if (state.isAway) throw new AppError('calendly_unavailable')
  }
  const calendly = {
    timeZoneOf: async (_eventType: EventType) => {
      assertThere()
      return 'America/New_York'
    },
    busyTimes: async (user: string) => {
      assertThere()
      return user === host ? state.busy : []
    }
  }
  const own = createOwnConflicts({
    system,
    reads: {
      claimsBetween: async (_tenantId, hosts, from, to) =>
        state.claims.filter((one) => hosts.includes(one.host) && one.busyFrom < to && one.busyTo > from),
      startsBetween: async (_tenantId, _eventType, from, to) =>
        state.starts.filter((start) => start >= from && start < to),
      findSeats: async () => state.seats,
      find: async (_tenantId, id) => aBooking({ id, status: id === 'bkg_gone' ? 'canceled' : 'pending' }),
      findHold: async () => undefined
    },
    settings: { find: async () => ({ ...defaultSettings, ...state.settings }) },
    calendly
  })
  const search = createAlternativeSearch({
    system,
    openTimes: async (_tenantId, eventType, from, to, fresh) => {
      assertThere()
      state.searched.push([(from - tuesday) / dayMs, (to - tuesday) / dayMs])
      const starts = state.open.map((hour) => tuesday + hour * hourMs)
      const slots = starts
        .filter((start) => start >= from && start < to)
        .map((startTime) => ({
          eventType: eventType.uri,
          startTime,
          endTime: startTime + 30 * minuteMs,
          spotsRemaining: 1
        }))
      return { slots, excluded: [], stale: state.isStale && !fresh }
    }
  })
  const calendar = createCalendarConflicts({ own, calendly })
  return createConflicts({ system, own, calendar, search, calendly, claimChanges: () => state.changes })
}

/** What those are told who lose the slot. */
async function lose(state: ReturnType<typeof world>, asked: Partial<Asked> = {}, loss?: Loss) {
  const { members } = await conflictsOf(state).lost(wanted(asked), loss)
  return members as {
    conflicts: Record<string, unknown>[]
    alternatives: Record<string, unknown>[]
  }
}

const isRefused = (state: ReturnType<typeof world>, asked: Partial<Asked> = {}) =>
  conflictsOf(state)
    .refuseIfTaken(wanted(asked))
    .then(
      () => false,
      ({ code }: AppError) => code === 'slot_unavailable'
    )

t.test('a booking or hold of somebody else is in the way, with the range of its appointment', async (t) => {
  const state = world()
  state.claims = [claim(-15, 15, { after: 10 }), claim(20, 45, { ownerId: 'hld_1' })]
  t.ok(await isRefused(state))
  t.same((await lose(state)).conflicts, [
    {
      kind: 'booking',
      start_time: '2026-12-01T09:45:00Z',
      end_time: '2026-12-01T10:15:00Z',
      booking_id: 'bkg_9'
    },
    { kind: 'hold', start_time: '2026-12-01T10:20:00Z', end_time: '2026-12-01T10:45:00Z' }
  ])
})

t.test('back to back is no conflict', async (t) => {
  const state = world()
  state.claims = [claim(-30, 0), claim(30, 60)]
  t.notOk(await isRefused(state))
})

t.test('buffers on both sides add up, and the range of the conflict is all that is kept free', async (t) => {
  const state = world()
  state.settings = { bufferBeforeMinutes: 15, bufferAfterMinutes: 5 }
  state.claims = [claim(-60, -30, { after: 15 })]
  t.notOk(await isRefused(state), 'thirty minutes between them are kept')
  state.claims = [claim(-60, -29, { after: 15 }), claim(34, 60, { ownerId: 'hld_1' })]
  t.ok(await isRefused(state))
  t.same((await lose(state)).conflicts, [
    {
      kind: 'buffer',
      start_time: '2026-12-01T08:55:00Z',
      end_time: '2026-12-01T10:01:00Z',
      booking_id: 'bkg_9'
    },
    { kind: 'buffer', start_time: '2026-12-01T10:29:00Z', end_time: '2026-12-01T11:15:00Z' }
  ])
})

t.test('one’s own claims are in nobody’s way', async (t) => {
  const state = world()
  state.claims = [claim(0, 30, { ownerId: 'hld_1' })]
  t.notOk(await isRefused(state, { exclude: ['hld_1'] }))
  t.ok(await isRefused(state, { exclude: ['hld_2'] }))
})

t.test('of a pool every host must be taken, of a panel one', async (t) => {
  const state = world()
  state.claims = [claim(0, 30)]
  t.notOk(await isRefused(state, pool))
  t.ok(await isRefused(state, { hosts: [host, 'B'] }))
  state.claims.push(claim(0, 30, { host: 'B', ownerId: 'bkg_8' }))
  t.ok(await isRefused(state, pool))
  t.same(
    (await lose(state, pool)).conflicts.map(({ booking_id }) => booking_id),
    ['bkg_8', 'bkg_9']
  )
})

t.test('a session is shared until its seats are taken', async (t) => {
  const state = world()
  state.claims = [seatOf('bkg_1'), seatOf('hld_1')]
  t.notOk(await isRefused(state, group), 'nobody knows yet how many it has')
  state.seats = 3
  t.notOk(await isRefused(state, group))
  state.seats = 2
  t.ok(await isRefused(state, group))
  t.same(
    (await lose(state, group)).conflicts.map(({ kind }) => kind),
    ['booking', 'hold']
  )
  t.notOk(await isRefused(state, { ...group, exclude: ['hld_1'] }), 'but for one’s own')
})

t.test('a minimum notice is in the way from now on, a full day as long as it is', async (t) => {
  const state = world()
  state.now = tuesday - 2 * hourMs
  state.settings = { minimumNoticeMinutes: 121, maxPerDay: 2 }
  const day = Date.parse('2026-12-01T05:00:00Z')
  state.starts = [day, day + 23 * hourMs, day - 1, day + 24 * hourMs]
  t.ok(await isRefused(state))
  t.same((await lose(state)).conflicts, [
    { kind: 'minimum_notice', start_time: '2026-12-01T08:00:00Z', end_time: '2026-12-01T10:01:00Z' },
    { kind: 'max_per_day', start_time: '2026-12-01T05:00:00Z', end_time: '2026-12-02T05:00:00Z' }
  ])
  state.settings = { minimumNoticeMinutes: 120, maxPerDay: 3 }
  t.notOk(await isRefused(state))
})

t.test('a day is not full of what makes room', async (t) => {
  const state = world()
  state.settings = { maxPerDay: 1 }
  state.starts = [tuesday]
  t.ok(await isRefused(state))
  t.notOk(await isRefused(state, { exclude: ['bkg_1'] }))
  t.ok(await isRefused(state, { exclude: ['bkg_gone'] }), 'what is canceled makes none')
})

t.test(
  'where nothing of ours is in the way, the calendar is, or else Calendly does not offer it',
  async (t) => {
    const state = world()
    const outside = {
      kind: 'outside_availability',
      start_time: '2026-12-01T10:00:00Z',
      end_time: '2026-12-01T10:30:00Z'
    }
    t.same((await lose(state)).conflicts, [outside])
    state.busy = [
      { type: 'external', startTime: tuesday - hourMs, endTime: tuesday },
      { type: 'external', startTime: tuesday + 20 * minuteMs, endTime: tuesday + hourMs }
    ]
    t.same((await lose(state)).conflicts, [
      { kind: 'calendar', start_time: '2026-12-01T10:20:00Z', end_time: '2026-12-01T11:00:00Z' }
    ])
    t.same((await lose(state, pool)).conflicts, [outside], 'another host of the pool is not busy')
  }
)

t.test('a slot was taken even if whoever took it has given it back since', async (t) => {
  const kinds = async (loss: Loss) => (await lose(world(), {}, loss)).conflicts.map(({ kind }) => kind)
  t.same(await kinds('claimed'), ['booking'])
  t.same(await kinds('max_per_day'), ['max_per_day'])
  const state = world()
  state.claims = [seatOf('bkg_7')]
  t.match((await lose(state, group, 'full')).conflicts, [{ kind: 'booking', booking_id: 'bkg_7' }])
})

t.test('who loses is offered other times, in their own zone or else the owner’s', async (t) => {
  const state = world()
  state.claims = [claim(0, 30)]
  state.open = [-1, 0, 1, 3, 5, 24]
  t.match((await lose(state)).alternatives, [
    { event_type: meeting, local_start_time: '2026-12-01T10:00:00+01:00', score: 0.984 },
    { start_time: '2026-12-01T11:00:00Z', end_time: '2026-12-01T11:30:00Z' },
    {},
    {},
    {}
  ])
  t.match((await lose(state, { timeZone: undefined })).alternatives[0], {
    local_start_time: /-05:00$/
  })
})

t.test('who is to move is not offered where they are', async (t) => {
  const state = world()
  state.open = [0, 1, 2, 3, 4, 5, 6, 24 * 20]
  const { alternatives } = await lose(state, { notAt: tuesday + hourMs })
  t.same(
    alternatives.map(({ start_time }) => (Date.parse(String(start_time)) - tuesday) / hourMs),
    [2, 3, 4, 5, 6]
  )
})

t.test('it is looked further where too little was found, never before now', async (t) => {
  const state = world()
  state.open = [1, 2, 3, 4, 5, 6]
  await lose(state)
  t.same(state.searched, [[-2, 3]])
  state.open = [...state.open.slice(1), 24 * 20]
  state.searched = []
  t.equal((await lose(state)).alternatives.length, 5)
  t.same(state.searched, [
    [-2, 3],
    [-2, 14],
    [-2, 31]
  ])
})

t.test('without Calendly a slot is lost all the same, and nothing is offered that may be gone', async (t) => {
  const state = world()
  state.open = [1, 2]
  state.claims = [claim(0, 30)]
  state.isStale = true
  t.equal((await lose(state)).alternatives.length, 2, 'a stale answer is asked for anew')
  state.isAway = true
  t.match(await lose(state), { conflicts: [{ kind: 'booking' }], alternatives: [] })
  t.same((await lose({ ...state, claims: [] })).alternatives, [])
})

t.test('alternatives are worked out once for all who lose one slot while nothing changes', async (t) => {
  const state = world()
  state.claims = [claim(0, 30)]
  state.open = [1, 2, 3, 4, 5, 6]
  const { refuseIfTaken, lost } = conflictsOf(state)
  const losers = Array.from({ length: 2_000 }, (_, n) =>
    n % 2 === 0
      ? lost(wanted({ timeZone: n % 4 === 0 ? 'Asia/Tokyo' : 'UTC' }), 'claimed')
      : refuseIfTaken(wanted()).catch((error: AppError) => error)
  )
  await Promise.all(losers)
  t.equal(state.searched.length, 1)
  state.now += 999
  await lost(wanted())
  t.equal(state.searched.length, 1, 'and for whoever comes within the second')
  await lost(wanted({ startTime: tuesday + hourMs }))
  t.equal(state.searched.length, 2, 'another slot is another matter')
  state.now += 1
  await lost(wanted())
  t.equal(state.searched.length, 3, 'what others changed shows after a second')
})

t.test('what this process changed shows at once', async (t) => {
  const state = world()
  state.claims = [claim(0, 30)]
  state.open = [1, 2, 3, 4, 5, 6]
  const { lost } = conflictsOf(state)
  const startsOf = async () =>
    ((await lost(wanted())).members.alternatives as { start_time: string }[]).map(
      ({ start_time }) => start_time
    )
  const first = await startsOf()
  t.same(await startsOf(), first)
  state.open.shift()
  t.same(await startsOf(), first)
  state.changes++
  t.notOk((await startsOf()).includes(first[0] ?? ''))
})

t.test('a search that failed is not remembered', async (t) => {
  const state = world()
  state.claims = [claim(0, 30)]
  state.open = [1]
  state.isAway = true
  const { lost } = conflictsOf(state)
  t.same((await lost(wanted())).members.alternatives, [])
  state.isAway = false
  t.equal(((await lost(wanted())).members.alternatives as unknown[]).length, 1)
})
