import fc from 'fast-check'
import t from 'tap'
import { sessionOf } from '../../src/core/booking.ts'
import type { Claim } from '../../src/core/booking-tables.ts'
import type { AvailableTime, EventType } from '../../src/core/calendly.ts'
import { defaultSettings } from '../../src/core/settings.ts'
import { claimMode, type Offer, splitOffer } from '../../src/core/slots.ts'
import { anEventType, meeting, minuteMs, tuesday } from '../support/samples.ts'

const hosts = ['ann', 'bob', 'cid']
const minutes = (n: number) => tuesday + n * minuteMs
const offered = (...starts: number[]) => starts.map((n) => ({ startTime: minutes(n), inviteesRemaining: 1 }))
const claim = (host: string, from: number, to: number, session = `${host}${from}`): Claim => ({
  host,
  ownerId: 'bkg_1',
  session,
  startTime: minutes(from),
  endTime: minutes(to),
  busyFrom: minutes(from),
  busyTo: minutes(to)
})
const withBuffers = (claim: Claim, before: number, after: number): Claim => ({
  ...claim,
  busyFrom: claim.startTime - before * minuteMs,
  busyTo: claim.endTime + after * minuteMs
})
const startsOf = (slots: readonly { startTime: number }[]) =>
  slots.map(({ startTime }) => (startTime - tuesday) / minuteMs)

function split(
  eventType: EventType,
  times: readonly AvailableTime[],
  hosts: readonly string[],
  claims: readonly Claim[],
  more: Partial<Offer> & { isFullDay?: (startTime: number) => boolean } = {}
) {
  const { isFullDay = () => false, ...rest } = more
  const offer = { eventType, times, hosts, claims, settings: defaultSettings, soonest: 0, uncounted: [] }
  return splitOffer({ ...offer, ...rest }, isFullDay)
}

t.test('a slot is in nobody’s way who ends as it begins or begins as it ends', async (t) => {
  const claims = [claim('ann', 0, 30), claim('ann', 60, 90)]
  const { slots, excluded } = split(anEventType(), offered(0, 1, 29, 30, 31, 59, 60, 90), ['ann'], claims)
  t.same(startsOf(slots), [30, 90])
  t.same(startsOf(excluded), [0, 1, 29, 31, 59, 60])
})

t.test('a slot says its end, its seats and its page, an excluded one why', async (t) => {
  const times = [{ startTime: minutes(0), inviteesRemaining: 3, schedulingUrl: 'https://calendly.com/a' }]
  t.same(split(anEventType(), times, ['ann'], []).slots, [
    {
      eventType: meeting,
      startTime: minutes(0),
      endTime: minutes(30),
      spotsRemaining: 3,
      schedulingUrl: 'https://calendly.com/a'
    }
  ])
  const claims = [claim('ann', 0, 10), { ...claim('ann', 10, 20), ownerId: 'hld_1' }]
  t.same(split(anEventType(), times, ['ann'], claims).excluded, [
    { eventType: meeting, startTime: minutes(0), reasons: ['hold', 'booking'] }
  ])
})

t.test('buffers add up: a slot’s own and those of what is beside it', async (t) => {
  const settings = { ...defaultSettings, bufferBeforeMinutes: 15, bufferAfterMinutes: 5 }
  const claims = [withBuffers(claim('ann', 0, 30), 0, 15), withBuffers(claim('ann', 120, 150), 10, 0)]
  const times = offered(30, 45, 59, 60, 75, 76, 90, 100)
  const { slots, excluded } = split(anEventType(), times, ['ann'], claims, { settings })
  t.same(startsOf(slots), [60, 75])
  t.same(
    excluded.map(({ startTime, reasons }) => [(startTime - tuesday) / minuteMs, reasons]),
    [
      [30, ['buffer']],
      [45, ['buffer']],
      [59, ['buffer']],
      [76, ['buffer']],
      [90, ['buffer']],
      [100, ['booking']]
    ]
  )
})

t.test('seats of one session with buffers of their own keep all of them free', async (t) => {
  const session = 'workshop@0'
  const seats = [
    [0, 0],
    [20, 30],
    [0, 0],
    [5, 10]
  ] as const
  const claims = seats.map(([before, after]) => withBuffers(claim('ann', 0, 30, session), before, after))
  for (const unsorted of [claims, claims.toReversed()]) {
    const { slots } = split(anEventType(), offered(-60, -50, -49, 45, 59, 60), ['ann'], unsorted)
    t.same(startsOf(slots), [-60, -50, 60])
  }
})

t.test('every reason is told, and always in the same order', async (t) => {
  const claims = [
    withBuffers(claim('ann', 40, 50), 20, 0),
    claim('ann', 20, 30),
    { ...claim('ann', 0, 10), ownerId: 'hld_1' }
  ]
  const { excluded } = split(anEventType(), offered(0, 60, 120), ['ann'], claims, {
    soonest: minutes(120),
    isFullDay: (startTime) => startTime !== minutes(60)
  })
  t.same(
    excluded.map(({ reasons }) => reasons),
    [['hold', 'booking', 'buffer', 'minimum_notice', 'max_per_day'], ['minimum_notice'], ['max_per_day']]
  )
})

t.test('round robin needs one free host, everything else all of them', async (t) => {
  const claims = [claim('ann', 0, 30), claim('bob', 0, 30), claim('ann', 60, 90)]
  const starts = (poolingType?: string) =>
    startsOf(split(anEventType({ poolingType }), offered(0, 60, 120), ['ann', 'bob'], claims).slots)
  t.same(starts('round_robin'), [60, 120])
  t.same(starts('multi_pool'), [60, 120])
  t.same(starts('collective'), [120])
  t.same(starts(), [120])
})

t.test('without known hosts nothing is in the way', async (t) => {
  for (const poolingType of ['round_robin', undefined]) {
    t.same(startsOf(split(anEventType({ poolingType }), offered(0), [], []).slots), [0])
  }
})

const group = anEventType({ kind: 'group' })
const seat = (ownerId: string, host = 'ann') => ({
  ...claim(host, 0, 30, sessionOfSeat(group, minutes(0), ownerId)),
  ownerId
})

t.test('seats of a group’s session are no conflict, another session is', async (t) => {
  t.same(startsOf(split(group, offered(0), ['ann'], [seat('bkg_1')]).slots), [0])
  t.same(startsOf(split(group, offered(10), ['ann'], [seat('bkg_1')]).slots), [])
  t.equal(sessionOfSeat(anEventType(), minutes(0), 'bkg_seat'), 'bkg_seat')
})

t.test('seats that Calendly cannot have counted are taken from those it offers, each once', async (t) => {
  const times = [{ startTime: minutes(0), inviteesRemaining: 3 }]
  const left = (claims: readonly Claim[], uncounted: string[] = []) => {
    const { slots, excluded } = split(group, times, ['ann', 'bob'], claims, { uncounted })
    return slots[0]?.spotsRemaining ?? excluded[0]?.reasons
  }
  t.equal(left([seat('bkg_1'), seat('bkg_2')]), 3, 'Calendly counts its own')
  t.equal(left([seat('bkg_1'), seat('bkg_2')], ['bkg_2']), 2)
  t.equal(left([seat('hld_1'), seat('hld_1', 'bob')]), 2, 'one hold of two hosts')
  t.equal(left([seat('hld_1'), seat('bkg_1')], ['bkg_1']), 1)
  t.same(left([seat('hld_1'), seat('hld_2'), seat('hld_3')]), ['hold'])
  t.same(left([seat('hld_1'), seat('bkg_1'), seat('bkg_2')], ['bkg_1', 'bkg_2']), ['hold', 'booking'])
})

t.test('a booking is in doubt where Calendly offers the very time of every host it needs', async (t) => {
  const doubted = (claims: readonly Claim[], poolingType?: string) =>
    split(anEventType({ poolingType }), offered(0), ['ann', 'bob'], claims).contradicted
  const booked = (host: string, ownerId: string) => ({ ...claim(host, 0, 30, ownerId), ownerId })
  t.same(doubted([booked('ann', 'bkg_1')]), ['bkg_1'])
  t.same(doubted([booked('ann', 'bkg_1'), booked('bob', 'bkg_1')]), ['bkg_1'])
  t.same(doubted([booked('ann', 'hld_1')]), [])
  t.same(doubted([withBuffers(claim('ann', 30, 60), 5, 0)]), [], 'Calendly knows nothing of our buffers')
  t.same(doubted([booked('ann', 'bkg_1')], 'round_robin'), [], 'the other one may be meant')
  t.same(doubted([booked('ann', 'bkg_1'), booked('bob', 'hld_1')], 'round_robin'), [])
  t.same(doubted([booked('ann', 'bkg_1'), booked('bob', 'bkg_2')], 'round_robin'), ['bkg_1', 'bkg_2'])
})

t.test('what is left is what a look at every claim would leave', async () => {
  const wish = fc.record({
    host: fc.constantFrom(...hosts),
    from: fc.integer({ min: 0, max: 95 }),
    length: fc.integer({ min: 1, max: 12 }),
    before: fc.integer({ min: 0, max: 8 }),
    after: fc.integer({ min: 0, max: 8 }),
    isSession: fc.boolean()
  })
  const type = fc.record({
    kind: fc.constantFrom('solo', 'group'),
    poolingType: fc.constantFrom(undefined, 'round_robin', 'collective'),
    durationMinutes: fc.constantFrom(5, 15, 60)
  })
  const buffer = fc.constantFrom(0, 3, 10)
  const settings = fc.record({ bufferBeforeMinutes: buffer, bufferAfterMinutes: buffer })
  fc.assert(
    fc.property(
      type,
      settings,
      fc.array(wish, { maxLength: 30 }),
      fc.subarray(hosts),
      (changes, buffers, wishes, pool) => {
        const eventType = anEventType(changes)
        const claims = possible(
          wishes.map(({ host, from, length, before, after, isSession }, index) => {
            const to = isSession ? from + eventType.durationMinutes : from + length
            const session = isSession ? sessionOfSeat(eventType, minutes(from), `bkg_${index}`) : undefined
            return withBuffers(claim(host, from, to, session ?? `bkg_${index}`), before, after)
          })
        )
        const times = offered(...Array.from({ length: 100 }, (_, n) => n))
        const isOpen = (startTime: number) => {
          const busyFrom = startTime - buffers.bufferBeforeMinutes * minuteMs
          const busyTo = startTime + (eventType.durationMinutes + buffers.bufferAfterMinutes) * minuteMs
          const isFree = (host: string) =>
            !claims.some(
              (claim) =>
                claim.host === host &&
                claim.busyFrom < busyTo &&
                claim.busyTo > busyFrom &&
                claim.session !== sessionOfSeat(eventType, startTime, 'bkg_naive')
            )
          return claimMode(eventType) === 'all' ? pool.every(isFree) : pool.length === 0 || pool.some(isFree)
        }
        const { slots, excluded } = split(eventType, times, pool, claims, {
          settings: { ...defaultSettings, ...buffers }
        })
        const expected = times.map(({ startTime }) => startTime).filter(isOpen)
        return (
          String(slots.map(({ startTime }) => startTime)) === String(expected) &&
          slots.length + excluded.length === times.length
        )
      }
    ),
    { numRuns: 300 }
  )
})

/** As the constraint keeps them: of one host only claims of one session overlap. */
function possible(claims: readonly Claim[]): Claim[] {
  const kept: Claim[] = []
  for (const claim of claims) {
    const isRefused = kept.some(
      (other) =>
        other.host === claim.host &&
        other.session !== claim.session &&
        other.busyFrom < claim.busyTo &&
        claim.busyFrom < other.busyTo
    )
    if (!isRefused) kept.push(claim)
  }
  return kept
}

/** The session that a booking of that slot would claim under. */
function sessionOfSeat({ uri, kind }: EventType, startTime: number, id: string): string {
  return sessionOf({ id, isGroup: kind === 'group', eventType: uri, startTime })
}
