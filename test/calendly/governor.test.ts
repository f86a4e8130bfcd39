import { setImmediate as settled } from 'node:timers/promises'
import t from 'tap'
import { CalendlyError } from '../../src/calendly/errors.ts'
import { createGovernor, type Lane } from '../../src/calendly/governor.ts'
import { createLocalQuota } from '../../src/calendly/local-quota.ts'
import type { BookingLimit, BookingQuota, MinuteQuota } from '../../src/calendly/quota.ts'
import type { Answer } from '../../src/calendly/send.ts'
import { createTestBookingQuota } from '../support/keys.ts'

const user = 'https://api.calendly.com/users/U1'
const booking = { lane: 'booking', isBooking: true } as const
const reading = { lane: 'booking' } as const

type Options = {
  share?: number
  bookingLimits?: readonly BookingLimit[]
  quota?: MinuteQuota
  bookingQuota?: BookingQuota
}

function open(options: Options = {}) {
  const clock = { time: 1_000_000 }
  const now = () => clock.time
  const warnings: string[] = []
  const governor = createGovernor({
    quota: createLocalQuota({ now }),
    bookingQuota: createTestBookingQuota({ now }),
    share: 1,
    bookingLimits: [],
    now,
    log: { debug: () => {}, warn: (_, message) => warnings.push(message), error: () => {} },
    ...options
  })
  const answered = (changes: Partial<Answer> = {}): Answer => ({
    status: 200,
    body: {},
    requestId: undefined,
    retryAfterMs: undefined,
    seen: undefined,
    ...changes
  })
  return {
    clock,
    warnings,
    governor,
    answered,
    /** A whole call that Calendly answers so; whether it was let through. */
    async call(purpose: Parameters<typeof governor.admit>[1], changes: Partial<Answer> = {}) {
      const { end } = await governor.admit(user, purpose)
      await end?.({ answer: answered(changes), wasSent: true })
      return end !== undefined
    },
    throttle(purpose: Parameters<typeof governor.admit>[1], changes: Partial<Answer>) {
      const error = new CalendlyError(429, { title: '', message: '', details: [] })
      return governor.throttled(user, answered({ status: 429, ...changes }), purpose, error)
    }
  }
}
const seen = (remaining: number, limit = 500) => ({ limit, remaining, resetMs: 60_000 })

t.test('each lane finds something left when those below it have used up theirs', async (t) => {
  const { governor, call } = open({ share: 0.8 })
  await call(reading, { seen: seen(500) })
  const inLane = async (lane: Lane) => {
    for (let granted = 0; ; granted++) {
      const { end } = await governor.admit(user, { lane })
      if (!end) return granted
    }
  }
  const granted: number[] = []
  for (const lane of ['reconciliation', 'availability', 'resolution', 'booking'] as const) {
    granted.push(await inLane(lane))
  }
  t.same(granted, [200, 140, 40, 20], 'half, 85 %, 95 % and all of the 400 that are ours')
})

t.test('without quota a call is refused with the time until there is some', async (t) => {
  const { clock, governor, call } = open({ share: 0.8 })
  await call(reading, { seen: seen(100) })
  clock.time += 20_000
  const { throttle } = await governor.admit(user, reading)
  t.match(throttle, {
    isHeld: true,
    waitMs: 40_000,
    error: { code: 'calendly_unavailable', retryAfterMs: 40_000 }
  })
  clock.time += 40_000
  t.ok(await call(reading))
})

t.test('after a 429 the user rests for every call, even where the store forgets it', async (t) => {
  const quota: MinuteQuota = {
    take: async () => ({ isGranted: true }),
    settle: async () => {},
    giveBack: async () => {},
    rest: async () => {},
    list: async () => []
  }
  const { clock, governor, call, throttle } = open({ quota })
  t.match(await throttle(reading, { seen: seen(0), retryAfterMs: 30_000 }), { waitMs: 30_000, isHeld: false })
  t.ok(governor.isResting(user))
  t.notOk(await call(booking))
  clock.time += 30_000
  t.notOk(governor.isResting(user))
  t.ok(await call(booking))
})

t.test('the quota of bookings refuses bookings alone, with the time of the next free one', async (t) => {
  const bookingLimits = [
    { limit: 2, windowMs: 60_000 },
    { limit: 3, windowMs: 3_600_000 }
  ]
  const { clock, governor, call } = open({ bookingLimits })
  t.ok(await call(booking))
  clock.time += 10_000
  t.ok(await call(booking))
  const exhausted = { code: 'booking_quota_exhausted' }
  t.match(await governor.admit(user, booking), {
    throttle: { isHeld: false, waitMs: 50_000, error: { ...exhausted, retryAfterMs: 50_000 } }
  })
  t.ok(await call(reading))
  clock.time += 50_000
  t.ok(await call(booking))
  t.match(await governor.admit(user, booking), { throttle: { waitMs: 3_540_000, error: exhausted } })
})

t.test('a booking that never left, or was not admitted after all, is not counted', async (t) => {
  const { governor, call } = open({ bookingLimits: [{ limit: 1, windowMs: 60_000 }] })
  const unsent = await governor.admit(user, booking)
  await unsent.end?.({ wasSent: false })
  t.ok(await call(booking, { status: 401 }), 'a refused key is counted for nobody')
  await call(reading, { seen: seen(0) })
  t.match(await governor.admit(user, booking), { throttle: { isHeld: true } })
  await call(reading, { seen: seen(500) })
  t.notOk((await governor.admit(user, reading)).end, 'the minute is over first')
})

t.test('a booking refused for its own quota leaves the user its other calls', async (t) => {
  const { clock, governor, call, throttle } = open()
  await call(reading, { seen: seen(400) })
  const refused = await throttle(booking, { seen: seen(0, 10), retryAfterMs: 20_000 })
  t.match(refused, {
    isHeld: false,
    waitMs: 20_000,
    error: { code: 'booking_quota_exhausted', retryAfterMs: 20_000, cause: { status: 429 } }
  })
  t.notOk(governor.isResting(user))
  t.ok(await call(reading))
  t.notOk(await call(booking), 'but no booking meanwhile')
  clock.time += 20_000
  t.ok(await call(booking))
})

t.test('what is said of the quota of bookings is not taken for the general one', async (t) => {
  const { call, governor } = open({ share: 0.8 })
  t.ok(await call(booking, { status: 201, seen: seen(0, 10) }), 'before the general one is known')
  t.ok(await call(reading, { seen: seen(400) }))
  t.ok(await call(booking, { status: 201, seen: seen(0, 10) }))
  t.ok(await call(reading))
  await call(booking, { status: 201, seen: seen(50) })
  t.match(
    await governor.admit(user, reading),
    { throttle: { isHeld: true } },
    'what is said of the general one is'
  )
})

t.test('where the quotas cannot be read bookings pass, and that is said once', async (t) => {
  const away = async () => {
    throw new Error('the database is away')
  }
  const { call, throttle, warnings, governor, clock } = open({
    quota: { take: away, settle: away, giveBack: away, rest: away, list: away },
    bookingQuota: { take: away, giveBack: away, sentWithin: away },
    bookingLimits: [{ limit: 1, windowMs: 60_000 }]
  })
  for (let i = 0; i < 5; i++) t.ok(await call(booking))
  t.same(warnings, ['calendly quotas not read, each process counts for itself'])
  await throttle(reading, { retryAfterMs: 1_000 })
  t.equal(warnings.length, 1)
  t.notOk((await governor.admit(user, reading)).end, 'Calendly is believed all the same')
  clock.time += 1_000
  t.ok(await call(reading))
})

t.test('until an answer has told the limit few calls go at once, and none is left waiting', async (t) => {
  const { governor, answered } = open({ share: 0.8 })
  const admitted: Exclude<Awaited<ReturnType<typeof governor.admit>>['end'], undefined>[] = []
  const refused: unknown[] = []
  const asking = Array.from({ length: 100 }, async () => {
    const { end, throttle } = await governor.admit(user, reading)
    if (end) admitted.push(end)
    else refused.push(throttle)
  })
  await settled()
  t.equal(admitted.length, 10, 'the smallest plan has 50 a minute')
  await admitted[0]?.({ wasSent: true })
  await settled()
  t.equal(admitted.length, 11, 'a call that ended without an answer makes way for another')
  await admitted[1]?.({ wasSent: true, answer: answered({ seen: seen(48, 50) }) })
  await Promise.all(asking)
  t.equal(admitted.length, 40, 'once the limit is known it decides')
  t.equal(refused.length, 60)
})

t.test('while the quotas cannot be read this process counts for itself, by what Calendly says', async (t) => {
  const away = async () => {
    throw new Error('the database is away')
  }
  const { call, clock } = open({
    quota: { take: away, settle: away, giveBack: away, rest: away, list: away },
    share: 0.8
  })
  let passed = 0
  for (let i = 0; i < 100; i++) if (await call(reading, { seen: seen(Math.max(0, 49 - i), 50) })) passed++
  t.equal(passed, 40)
  clock.time += 65_000
  t.ok(await call(reading, { seen: seen(49, 50) }))
})

t.test('a flood of those who are denied does not reach the quota that is shared', async (t) => {
  const { clock, governor, call } = open()
  await call(reading, { seen: seen(0) })
  const denied = () => governor.admit(user, reading)
  t.match(await denied(), { throttle: { waitMs: 60_000 } })
  clock.time += 100
  t.match(await denied(), { throttle: { waitMs: 59_900 } }, 'and the time it says goes on')
  t.ok(governor.isUsedUp())
  clock.time += 59_900
  t.notOk(governor.isUsedUp())
  t.ok(await call(reading))
})

t.test('what Calendly says of a minute never stops us for longer than one', async (t) => {
  const { clock, governor, call, throttle } = open()
  await call(reading, { seen: { limit: 500, remaining: 0, resetMs: 999_999_000 } })
  t.match(await governor.admit(user, reading), { throttle: { waitMs: 65_000 } })
  clock.time += 65_000
  t.ok(await call(reading))
  await throttle(reading, { seen: seen(0), retryAfterMs: 999_999_000 })
  t.ok(governor.isResting(user))
  clock.time += 65_000
  t.notOk(governor.isResting(user))
})
