import fc from 'fast-check'
import t from 'tap'
import { sessionOf } from '../../src/core/booking.ts'
import type { Claim } from '../../src/core/booking-tables.ts'
import type { EventType } from '../../src/core/calendly.ts'
import { claimMode, subtractClaims } from '../../src/core/slots.ts'
import { anEventType, meeting, minuteMs, tuesday } from '../support/samples.ts'

const hosts = ['ann', 'bob', 'cid']
const minutes = (n: number) => tuesday + n * minuteMs
const offered = (...starts: number[]) => starts.map((n) => ({ startTime: minutes(n), inviteesRemaining: 1 }))
const claim = (host: string, from: number, to: number, session = `${host}${from}`): Claim => ({
  host,
  ownerId: 'bkg_1',
  session,
  startTime: minutes(from),
  endTime: minutes(to)
})
const startsOf = (slots: readonly { startTime: number }[]) =>
  slots.map(({ startTime }) => (startTime - tuesday) / minuteMs)

t.test('a slot is in nobody’s way who ends as it begins or begins as it ends', async (t) => {
  const claims = [claim('ann', 0, 30), claim('ann', 60, 90)]
  const { slots, excluded } = subtractClaims(
    anEventType(),
    offered(0, 1, 29, 30, 31, 59, 60, 90),
    ['ann'],
    claims
  )
  t.same(startsOf(slots), [30, 90])
  t.same(startsOf(excluded), [0, 1, 29, 31, 59, 60])
})

t.test('a slot says its end, its seats and its page, an excluded one why', async (t) => {
  const times = [{ startTime: minutes(0), inviteesRemaining: 3, schedulingUrl: 'https://calendly.com/a' }]
  t.same(subtractClaims(anEventType(), times, ['ann'], []).slots, [
    {
      eventType: meeting,
      startTime: minutes(0),
      endTime: minutes(30),
      spotsRemaining: 3,
      schedulingUrl: 'https://calendly.com/a'
    }
  ])
  const claims = [claim('ann', 0, 10), { ...claim('ann', 10, 20), ownerId: 'hld_1' }]
  t.same(subtractClaims(anEventType(), times, ['ann'], claims).excluded, [
    { eventType: meeting, startTime: minutes(0), reasons: ['booking', 'hold'] }
  ])
})

t.test('round robin needs one free host, everything else all of them', async (t) => {
  const claims = [claim('ann', 0, 30), claim('bob', 0, 30), claim('ann', 60, 90)]
  const starts = (poolingType?: string) =>
    startsOf(subtractClaims(anEventType({ poolingType }), offered(0, 60, 120), ['ann', 'bob'], claims).slots)
  t.same(starts('round_robin'), [60, 120])
  t.same(starts('multi_pool'), [60, 120])
  t.same(starts('collective'), [120])
  t.same(starts(), [120])
})

t.test('without known hosts nothing is in the way', async (t) => {
  for (const poolingType of ['round_robin', undefined]) {
    t.same(startsOf(subtractClaims(anEventType({ poolingType }), offered(0), [], []).slots), [0])
  }
})

t.test('seats of a group’s session are no conflict, another session is', async (t) => {
  const group = anEventType({ kind: 'group' })
  const session = sessionOfSeat(group, minutes(0), 'bkg_seat')
  t.same(startsOf(subtractClaims(group, offered(0), ['ann'], [claim('ann', 0, 30, session)]).slots), [0])
  t.same(startsOf(subtractClaims(group, offered(10), ['ann'], [claim('ann', 0, 30, session)]).slots), [])
  t.equal(sessionOfSeat(anEventType(), minutes(0), 'bkg_seat'), 'bkg_seat')
})

t.test('what is left is what a look at every claim would leave', async () => {
  const wish = fc.record({
    host: fc.constantFrom(...hosts),
    from: fc.integer({ min: 0, max: 95 }),
    length: fc.integer({ min: 1, max: 12 }),
    isSession: fc.boolean()
  })
  const type = fc.record({
    kind: fc.constantFrom('solo', 'group'),
    poolingType: fc.constantFrom(undefined, 'round_robin', 'collective'),
    durationMinutes: fc.constantFrom(5, 15, 60)
  })
  fc.assert(
    fc.property(type, fc.array(wish, { maxLength: 30 }), fc.subarray(hosts), (changes, wishes, pool) => {
      const eventType = anEventType(changes)
      const claims = possible(
        wishes.map(({ host, from, length, isSession }) =>
          claim(
            host,
            from * 5,
            (from + length) * 5,
            isSession ? `${meeting}@${minutes(from * 5)}` : undefined
          )
        )
      )
      const times = offered(...Array.from({ length: 100 }, (_, n) => n * 5))
      const isOpen = (startTime: number) => {
        const isFree = (host: string) =>
          !claims.some(
            (claim) =>
              claim.host === host &&
              claim.startTime < startTime + eventType.durationMinutes * minuteMs &&
              claim.endTime > startTime &&
              claim.session !== sessionOfSeat(eventType, startTime, 'bkg_naive')
          )
        return claimMode(eventType) === 'all' ? pool.every(isFree) : pool.length === 0 || pool.some(isFree)
      }
      const { slots, excluded } = subtractClaims(eventType, times, pool, claims)
      const expected = times.map(({ startTime }) => startTime).filter(isOpen)
      return (
        String(slots.map(({ startTime }) => startTime)) === String(expected) &&
        slots.length + excluded.length === times.length
      )
    }),
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
        other.startTime < claim.endTime &&
        claim.startTime < other.endTime
    )
    if (!isRefused) kept.push(claim)
  }
  return kept
}

/** The session that a booking of that slot would claim under. */
function sessionOfSeat({ uri, kind }: EventType, startTime: number, id: string): string {
  return sessionOf({ id, isGroup: kind === 'group', eventType: uri, startTime })
}
