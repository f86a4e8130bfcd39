import fc from 'fast-check'
import t from 'tap'
import { createAvailability } from '../../src/core/availability.ts'
import type { Claim } from '../../src/core/booking-tables.ts'
import { AppError } from '../../src/core/errors.ts'
import { defaultSettings } from '../../src/core/settings.ts'
import { anEventType, minuteMs, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'

const dayMs = 86_400_000
const caller = { tenantId: 'default', name: 'shop', scopes: [] }
const query = {
  eventTypes: ['one'],
  startTime: tuesday,
  endTime: tuesday + 7 * dayMs,
  timeZone: 'UTC',
  fresh: false
}

/** What no test that does not name it is about. */
const plain = {
  reads: { startsBetween: async () => [], uncountedBetween: async () => [] },
  settings: { find: async () => defaultSettings },
  calendly: { timeZoneOf: async () => 'UTC' },
  doubt: () => {}
}

type Offer = { starts: number[]; asOf?: number; stale?: boolean }

/** Availability at `now` of the offered event types, all of them ann's. */
function service(offers: Record<string, Offer>, { now = tuesday, claims = [] as Claim[] } = {}) {
  const asked: { eventType: string; startTime: number; endTime: number; fresh?: boolean }[] = []
  const order: string[] = []
  const { find } = createAvailability({
    ...plain,
    system: fakeSystem(now),
    reads: {
      ...plain.reads,
      claimsBetween: async () => {
        order.push('claims')
        return claims
      }
    },
    calendly: {
      ...plain.calendly,
      getEventType: async (_tenantId, uri) => {
        if (!(uri in offers)) throw new AppError('event_type_not_found')
        return anEventType({ uri })
      },
      listHosts: async () => ['ann'],
      availableTimes: async (wanted) => {
        asked.push(wanted)
        await null
        order.push('calendly')
        const { starts = [], asOf = now, stale = false } = offers[wanted.eventType] ?? {}
        return { times: starts.map((startTime) => ({ startTime, inviteesRemaining: 1 })), asOf, stale }
      }
    }
  })
  return {
    find: (changes: Partial<typeof query> & { locale?: string } = {}) =>
      find(caller, { ...query, ...changes }),
    asked,
    order
  }
}

t.test('slots stand in the days of the asked zone', async (t) => {
  const starts = ['2026-12-01T22:30:00Z', '2026-12-01T23:30:00Z', '2026-12-03T05:00:00Z'].map((at) =>
    Date.parse(at)
  )
  const { find } = service({ one: { starts } })
  const daysIn = async (timeZone: string) =>
    (await find({ timeZone })).days.map(({ date, slots }) => [
      date,
      ...slots.map((slot) => slot.localStartTime.slice(11))
    ])
  t.same(await daysIn('UTC'), [
    ['2026-12-01', '22:30:00+00:00', '23:30:00+00:00'],
    ['2026-12-03', '05:00:00+00:00']
  ])
  t.same(await daysIn('Europe/Berlin'), [
    ['2026-12-01', '23:30:00+01:00'],
    ['2026-12-02', '00:30:00+01:00'],
    ['2026-12-03', '06:00:00+01:00']
  ])
  t.same(await daysIn('America/Los_Angeles'), [
    ['2026-12-01', '14:30:00-08:00', '15:30:00-08:00'],
    ['2026-12-02', '21:00:00-08:00']
  ])
})

t.test('a day of 25 hours has the slots of 25 hours, in the order of time', async (t) => {
  const midnight = Date.parse('2026-10-24T22:00:00Z')
  const starts = Array.from({ length: 26 }, (_, n) => midnight + n * 60 * minuteMs)
  const { find } = service({ one: { starts } }, { now: midnight })
  const { days } = await find({
    timeZone: 'Europe/Berlin',
    startTime: midnight,
    endTime: midnight + 2 * dayMs
  })
  t.same(
    days.map(({ date, slots }) => [date, slots.length]),
    [
      ['2026-10-25', 25],
      ['2026-10-26', 1]
    ]
  )
  t.same(
    days[0]?.slots.slice(2, 4).map(({ localStartTime }) => localStartTime),
    ['2026-10-25T02:00:00+02:00', '2026-10-25T02:00:00+01:00']
  )
})

t.test('slots of several event types ascend by start, then by event type', async (t) => {
  const { find, asked } = service({
    two: { starts: [tuesday, tuesday + 1] },
    one: { starts: [tuesday + 1, tuesday] }
  })
  const { days } = await find({ eventTypes: ['two', 'one', 'two'] })
  t.same(
    days.flatMap(({ slots }) => slots).map(({ startTime, eventType }) => [startTime - tuesday, eventType]),
    [
      [0, 'one'],
      [0, 'two'],
      [1, 'one'],
      [1, 'two']
    ]
  )
  t.equal(asked.length, 2, 'and one that is named twice is asked for once')
})

t.test('what our claims take is left out and explained', async (t) => {
  const claims = [claimAt(tuesday, 'hld_1')]
  const { find, order } = service({ one: { starts: [tuesday, tuesday + 30 * minuteMs] } }, { claims })
  const { days, excluded } = await find()
  t.same(
    days.flatMap(({ slots }) => slots).map(({ startTime }) => startTime),
    [tuesday + 30 * minuteMs]
  )
  t.same(excluded, [{ eventType: 'one', startTime: tuesday, reasons: ['hold'] }])
  t.same(order, ['calendly', 'claims'], 'claims are read last, so that no booking falls between')
})

t.test('claims are asked for as far around the range as the buffers of the event type reach', async (t) => {
  const state = {
    ...world(),
    settings: { ...defaultSettings, bufferBeforeMinutes: 20, bufferAfterMinutes: 50 }
  }
  const { find } = serviceOf(state)
  const { asked } = state
  await find(caller, { ...query, endTime: tuesday + dayMs })
  t.same(asked, [[tuesday - 20 * minuteMs, tuesday + dayMs + (30 + 50) * minuteMs]])
})

t.test('what starts within the notice is left out, until time has passed', async (t) => {
  const state = { ...world(), settings: { ...defaultSettings, minimumNoticeMinutes: 60 } }
  const { find } = serviceOf(state)
  const starts = async () =>
    (await find(caller, query)).days
      .flatMap(({ slots }) => slots)
      .map(({ startTime }) => (startTime - tuesday) / half)
  t.same(await starts(), [2, 3])
  t.match((await find(caller, query)).excluded, [{ startTime: tuesday + half, reasons: ['minimum_notice'] }])
  state.now += 1
  t.same(await starts(), [3])
})

t.test('a day that has its maximum is left out, as long as it is in the owner’s zone', async (t) => {
  const midnight = Date.parse('2026-10-24T22:00:00Z')
  const hourMs = 60 * minuteMs
  const state = {
    ...world(),
    now: midnight - dayMs,
    times: remembered([-1, 0, 24, 25, 26].map((hours) => midnight + hours * hourMs)),
    settings: { ...defaultSettings, maxPerDay: 2 },
    // Berlin's clocks go back on that day, which has 25 hours.
    timeZone: 'Europe/Berlin',
    starts: [midnight - hourMs, midnight + 5 * hourMs]
  }
  const { find } = serviceOf(state)
  const range = { ...query, startTime: midnight - dayMs, endTime: midnight + 3 * dayMs }
  const excluded = async () =>
    (await find(caller, range)).excluded.map(({ startTime }) => (startTime - midnight) / hourMs)
  t.same(await excluded(), [])
  state.starts.push(midnight + 24.5 * hourMs)
  t.same(await excluded(), [0, 24])
  state.timeZone = 'UTC'
  t.same(await excluded(), [24, 25])
  state.settings = { ...defaultSettings, maxPerDay: 3 }
  t.same(await excluded(), [])
})

t.test('bookings that Calendly contradicts are named with every answer, a kept one too', async (t) => {
  const state = { ...world(), asOf: tuesday - 5 }
  const { find, openTimes } = serviceOf(state)
  await find(caller, query)
  t.same(state.doubted, [])
  state.claims = [claimAt(tuesday + half)]
  await find(caller, query)
  await find(caller, query)
  await openTimes('default', state.eventType, query.startTime, query.endTime)
  t.same(state.doubted, Array(3).fill(['default', ['bkg_1'], tuesday - 5]))
})

t.test('an answer is as old and as stale as its worst part', async (t) => {
  const { find } = service({
    one: { starts: [], asOf: tuesday - 5 },
    two: { starts: [], asOf: tuesday - 9, stale: true }
  })
  t.match(await find({ eventTypes: ['one', 'two'] }), { asOf: tuesday - 9, stale: true })
  t.match(await find(), { asOf: tuesday - 5, stale: false, days: [] })
})

t.test('one unknown event type fails the whole', async (t) => {
  await t.rejects(service({ one: { starts: [tuesday] } }).find({ eventTypes: ['one', 'two'] }), {
    code: 'event_type_not_found'
  })
})

t.test('a start before now counts as now', async (t) => {
  const { find, asked } = service({ one: { starts: [] } })
  await find({ startTime: tuesday - 170 * dayMs, endTime: tuesday + 179 * dayMs, fresh: true })
  t.match(asked, [{ startTime: tuesday, endTime: tuesday + 179 * dayMs, fresh: true }])
})

t.test('a range is refused that is turned round, over, or too long', async (t) => {
  const { find, asked } = service({ one: { starts: [] } })
  const pointer = { code: 'validation_failed', faults: [{ pointer: '#/end_time' }] }
  await t.rejects(find({ endTime: tuesday }), pointer)
  await t.rejects(find({ startTime: tuesday - 2, endTime: tuesday - 1 }), pointer)
  await t.rejects(find({ startTime: tuesday - 2, endTime: tuesday }), pointer)
  await t.rejects(find({ endTime: tuesday + 180 * dayMs + 1 }), { code: 'range_too_long' })
  t.same(asked, [])
  await t.resolves(find({ endTime: tuesday + 180 * dayMs }))
})

t.test('twenty event types are answered, and not one more', async (t) => {
  const names = Array.from({ length: 21 }, (_, n) => `type-${n}`)
  const { find } = service(Object.fromEntries(names.map((name) => [name, { starts: [] }])))
  await t.rejects(find({ eventTypes: names }), { code: 'too_many_event_types' })
  await t.resolves(find({ eventTypes: [...names.slice(1), ...names.slice(1)] }))
})

t.test('a locale adds what a reader of it would write', async (t) => {
  const { find } = service({ one: { starts: [tuesday] } })
  const [day] = (await find({ locale: 'de', timeZone: 'Europe/Berlin' })).days
  t.match(day?.slots, [{ formattedStartTime: /Dienstag.*11:00/, formattedEndTime: /11:30/ }])
  t.notOk('formattedStartTime' in ((await find()).days[0]?.slots[0] ?? {}))
})

/** Remembered times, as Calendly's client hands them out: the same objects until they are read again. */
const remembered = (starts: readonly number[]) =>
  starts.map((startTime) => ({ startTime, inviteesRemaining: 1, schedulingUrl: 'https://calendly.com/a' }))

const half = 30 * minuteMs
const claimAt = (startTime: number, ownerId = 'bkg_1'): Claim => ({
  ownerId,
  session: ownerId,
  host: 'ann',
  startTime,
  endTime: startTime + half,
  busyFrom: startTime,
  busyTo: startTime + half
})

/** What an answer is made of, to be changed between questions. */
function world() {
  return {
    now: tuesday,
    times: remembered([tuesday + half, tuesday + 2 * half, tuesday + 3 * half]),
    asOf: tuesday,
    stale: false,
    claims: [] as Claim[],
    hosts: ['ann'],
    eventType: anEventType({ uri: 'one' }),
    settings: defaultSettings,
    starts: [] as number[],
    timeZone: 'UTC',
    uncounted: [] as string[],
    asked: [] as [startTime: number, endTime: number][],
    doubted: [] as [tenantId: string, bookings: readonly string[], asOf: number][]
  }
}

function serviceOf(state: ReturnType<typeof world>) {
  return createAvailability({
    system: { ...fakeSystem(), now: () => state.now },
    reads: {
      claimsBetween: async (_tenantId, _hosts, ...range) => {
        state.asked.push(range)
        return [...state.claims]
      },
      startsBetween: async () => [...state.starts],
      uncountedBetween: async () => [...state.uncounted]
    },
    settings: { find: async () => ({ ...state.settings }) },
    doubt: (...doubt) => {
      state.doubted.push(doubt)
    },
    calendly: {
      timeZoneOf: async () => state.timeZone,
      getEventType: async () => state.eventType,
      listHosts: async () => [...state.hosts],
      availableTimes: async ({ startTime }) => ({
        times: state.times.filter((time) => time.startTime > startTime),
        asOf: state.asOf,
        stale: state.stale
      })
    }
  })
}

t.test('an answer is kept while nothing has changed that it depends on', async (t) => {
  const state = world()
  const { find } = serviceOf(state)
  const first = await find(caller, query)
  state.now += 1
  t.equal(await find(caller, query), first)
  for (const other of [{ timeZone: 'Asia/Tokyo' }, { locale: 'de' }, { endTime: query.endTime + 1 }]) {
    t.not(await find(caller, { ...query, ...other }), first)
  }
  t.not(await find({ ...caller, tenantId: 'other' }, query), first)
  t.not(await find(caller, { ...query, fresh: true }), first)
  t.equal(await find(caller, query), first)
})

t.test('a kept answer is given up for whatever has changed since', async () => {
  const change = fc.constantFrom<((state: ReturnType<typeof world>) => void)[]>(
    (state) => {
      state.now += half
    },
    (state) => {
      state.times = remembered(state.times.map(({ startTime }) => startTime))
    },
    (state) => {
      state.asOf += 1
    },
    (state) => {
      state.times = state.times.map((time) => ({ ...time, inviteesRemaining: time.inviteesRemaining + 1 }))
    },
    (state) => {
      state.times = [...state.times, ...remembered([(state.times.at(-1)?.startTime ?? tuesday) + half])]
    },
    (state) => {
      state.times = state.times.slice(1)
    },
    (state) => {
      state.stale = !state.stale
    },
    (state) => {
      state.claims = [...state.claims, claimAt(tuesday + 2 * half, `bkg_${state.claims.length}`)]
    },
    (state) => {
      state.claims = state.claims.map((claim) => ({ ...claim, ownerId: `hld_${claim.ownerId}` }))
    },
    (state) => {
      state.claims = state.claims.map((claim) => ({ ...claim, startTime: claim.startTime + half + 1 }))
    },
    (state) => {
      state.claims = []
    },
    (state) => {
      state.claims = state.claims.map((claim) => ({ ...claim, busyTo: claim.busyTo + half }))
    },
    (state) => {
      state.settings = { ...state.settings, bufferBeforeMinutes: state.settings.bufferBeforeMinutes + 31 }
    },
    (state) => {
      state.settings = { ...state.settings, minimumNoticeMinutes: 40 - state.settings.minimumNoticeMinutes }
    },
    (state) => {
      state.now += 5 * minuteMs
    },
    (state) => {
      state.settings = { ...state.settings, maxPerDay: state.settings.maxPerDay === 1 ? undefined : 1 }
    },
    (state) => {
      state.starts = [...state.starts, tuesday + state.starts.length * dayMs]
    },
    (state) => {
      state.timeZone = state.timeZone === 'UTC' ? 'Asia/Tokyo' : 'UTC'
    },
    (state) => {
      state.eventType = { ...state.eventType, kind: state.eventType.kind === 'group' ? 'solo' : 'group' }
      const { startTime = tuesday } = state.times[0] ?? {}
      state.claims = [{ ...claimAt(startTime), session: `one@${startTime}` }]
    },
    (state) => {
      state.uncounted = state.uncounted.length === 0 ? ['bkg_1'] : []
    },
    (state) => {
      state.hosts = state.hosts.includes('ann') ? ['bob'] : ['ann', 'bob']
    },
    (state) => {
      state.eventType = { ...state.eventType, durationMinutes: state.eventType.durationMinutes + 15 }
    }
  )
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
      const state = world()
      const { find } = serviceOf(state)
      for (const apply of [() => {}, ...changes]) {
        apply(state)
        const [kept, anew] = [await find(caller, query), await serviceOf(state).find(caller, query)]
        if (JSON.stringify(kept) !== JSON.stringify(anew)) return false
      }
      return true
    }),
    { numRuns: 300 }
  )
})

t.test('a booking committed before a question is in its answer, however many ask meanwhile', async (t) => {
  const state = world()
  const reads: PromiseWithResolvers<Claim[]>[] = []
  const { find } = createAvailability({
    ...plain,
    system: fakeSystem(tuesday),
    reads: {
      ...plain.reads,
      // What a statement sees is settled when it begins.
      claimsBetween: () => {
        const seen = [...state.claims]
        const read = Promise.withResolvers<Claim[]>()
        reads.push(read)
        return read.promise.then(() => seen)
      }
    },
    calendly: {
      ...plain.calendly,
      getEventType: async () => state.eventType,
      listHosts: async () => state.hosts,
      availableTimes: async () => state
    }
  })
  const startsOf = async (answer: ReturnType<typeof find>) =>
    (await answer).days.flatMap(({ slots }) => slots).map(({ startTime }) => (startTime - tuesday) / half)
  /** Long enough for whatever waits for nothing else. */
  async function turn() {
    for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve))
  }

  const before = find(caller, query)
  await turn()
  state.claims = [claimAt(tuesday + half)]
  const after = Array.from({ length: 50 }, () => find(caller, query))
  await turn()
  reads[0]?.resolve([])
  t.same(await startsOf(before), [1, 2, 3])
  await turn()
  state.claims = [...state.claims, claimAt(tuesday + 2 * half, 'bkg_2')]
  const latest = find(caller, query)
  reads[1]?.resolve([])
  for (const answer of after) t.same(await startsOf(answer), [2, 3])
  await turn()
  reads[2]?.resolve([])
  t.same(await startsOf(latest), [3])
  t.equal(reads.length, 3, 'those who waited shared one read')
})
