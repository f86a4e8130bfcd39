import nock from 'nock'
import t from 'tap'
import type { CalendlyOptions } from '../../src/calendly/client.ts'
import { createLocalQuota } from '../../src/calendly/local-quota.ts'
import { realSystem } from '../../src/core/system.ts'
import { createTestKeys, type GivenKey } from '../support/keys.ts'
import { api, forbidden, openTestClient } from './fixtures/client.ts'

nock.disableNetConnect()
t.afterEach(() => nock.cleanAll())

const ada = { name: 'ada', token: 'token-of-ada' }
const adaSpare = { name: 'ada-spare', token: 'token-of-ada-spare' }
const noah = { name: 'noah', token: 'token-of-noah', user: `${api}/users/U2` }

const event = `${api}/scheduled_events/E1`
const times = { start_time: '2026-12-01T15:00:00Z', end_time: '2026-12-01T15:30:00Z' }
const found = { resource: { uri: event, status: 'active', ...times } }
const headers = (remaining: number, resetSeconds: number, limit = 100) => ({
  'x-ratelimit-limit': `${limit}`,
  'x-ratelimit-remaining': `${remaining}`,
  'x-ratelimit-reset': `${resetSeconds}`
})
const reading = ({ token }: { token: string }) =>
  nock(api, { reqheaders: { authorization: `Bearer ${token}` } }).get('/scheduled_events/E1')

function open(keys: GivenKey[], options: Partial<CalendlyOptions> = {}) {
  const client = openTestClient({ keys: createTestKeys(...keys).source, ...options })
  return {
    ...client,
    read: () => client.calendly.findEvent(event),
    health: () => client.calendly.health().keys.map(({ health }) => health)
  }
}

t.test('a throttled user rests with all its keys, and another user is asked instead', async (t) => {
  const client = open([ada, adaSpare, noah])
  reading(ada).reply(429, {}, headers(0, 30))
  const spared = reading(adaSpare).reply(200, found)
  reading(noah).times(2).reply(200, found, headers(90, 60))
  t.match(await client.read(), { uri: event })
  t.same(client.health(), ['cooling', 'cooling', 'ok'])
  t.match(await client.read(), { uri: event })
  t.notOk(spared.isDone())
  t.equal(client.calendly.health().calls, 3, 'the one who rests was not asked again')
  t.equal(client.calendly.health().retries, 0, 'to ask another is not to repeat')

  client.pass(30_000)
  const recovered = reading(ada).reply(200, found, headers(99, 60))
  await client.read()
  t.ok(recovered.isDone())
  t.same(client.health(), ['ok', 'ok', 'ok'])
})

t.test('of a user who is throttled for nobody knows how long, no other key is tried', async (t) => {
  const client = open([ada, adaSpare, noah])
  reading(ada).reply(429)
  reading(noah).reply(200, found)
  t.match(await client.read(), { uri: event })
  t.equal(client.calendly.health().calls, 2)
})

t.test('that a stand-in is not allowed to do it does not hide the quota', async (t) => {
  const client = open([ada, noah])
  reading(ada).reply(429, {}, headers(0, 30))
  reading(noah).times(2).reply(403, forbidden)
  const quota = { code: 'calendly_unavailable', retryAfterMs: 30_000 }
  await t.rejects(client.read(), { ...quota, cause: { status: 429 } })
  await t.rejects(client.read(), quota, 'nor once it is known to rest')
})

t.test('without quota a call waits for it when its deadline allows', async (t) => {
  const client = open([ada])
  reading(ada).reply(200, found, headers(0, 2))
  reading(ada).times(2).reply(200, found, headers(99, 60))
  await client.read()
  await client.read()
  t.same(client.slept, [2_000])
  await client.read()
  t.same(client.slept, [2_000])
})

t.test('else it is refused at once, with the time when there is some', async (t) => {
  const client = open([ada])
  reading(ada).reply(200, found, headers(0, 50))
  await client.read()
  client.pass(20_000)
  await t.rejects(client.read(), { code: 'calendly_unavailable', retryAfterMs: 30_000 })
  t.same(client.slept, [])
  t.equal(client.calendly.health().calls, 1)
})

t.test('a read waits no longer than leaves time to look for quota elsewhere', async (t) => {
  const client = open([ada])
  reading(ada).reply(200, found, headers(0, 3))
  await client.read()
  await t.rejects(client.read(), { code: 'calendly_unavailable', retryAfterMs: 3_000 })
  t.same(client.slept, [])
})

t.test('of many no more wait than may find some, the others are refused at once', async (t) => {
  let now = Date.parse('2026-11-22T12:00:00Z')
  const reset = Promise.withResolvers<void>()
  const system = { ...realSystem, now: () => now, sleep: () => reset.promise }
  const client = open([ada], { system, quota: createLocalQuota(system) })
  reading(ada).reply(200, found, headers(0, 2))
  await client.read()
  reading(ada).times(32).reply(200, found, headers(50, 60))
  let refused = 0
  const answers = Array.from({ length: 40 }, () =>
    client.read().catch((error) => {
      t.match(error, { code: 'calendly_unavailable', retryAfterMs: 2_000 })
      if (++refused === 8) {
        now += 2_000
        reset.resolve()
      }
    })
  )
  t.equal((await Promise.all(answers)).filter(Boolean).length, 32)
  t.equal(refused, 8)
})

t.test('waits for quota and waits between retries share one deadline', async (t) => {
  const client = open([ada])
  reading(ada).reply(200, found, headers(0, 2))
  await client.read()
  reading(ada).reply(429, {}, headers(0, 8))
  await t.rejects(client.read(), { code: 'calendly_unavailable', retryAfterMs: 8_000 })
  t.same(client.slept, [2_000], 'another eight seconds would have been too long')
})

t.test('what Calendly says is used elsewhere is not used here', async (t) => {
  const client = open([ada], { quotaShare: 0.8 })
  reading(ada).reply(200, found, headers(21, 60))
  await client.read()
  reading(ada).reply(200, found, headers(20, 60))
  await t.rejects(client.read(), { code: 'calendly_unavailable' }, 'resolution leaves bookings their part')
})

for (const seconds of [6, 60]) {
  t.test(`bookings find quota when looking for times has used up its own for ${seconds} s`, async (t) => {
    const client = open([ada])
    reading(ada).reply(200, found, headers(15, seconds))
    const eventType = `${api}/event_types/A`
    nock(api)
      .get('/event_types/A')
      .reply(200, { resource: { uri: eventType, duration: 30, custom_questions: [] } }, headers(14, seconds))
    reading(ada).reply(200, found, headers(4, seconds))
    const canceling = nock(api).post('/scheduled_events/E1/cancellation').reply(201, { resource: {} })
    await client.read()
    const range = { eventType, startTime: client.now() + 86_400_000, endTime: client.now() + 172_800_000 }
    await t.rejects(client.calendly.availableTimes(range), {
      code: 'calendly_unavailable',
      retryAfterMs: seconds * 1_000
    })
    await t.rejects(client.calendly.findEventType(eventType), { code: 'calendly_unavailable' })
    t.match(await client.calendly.findEventType(eventType, true), { uri: eventType })
    const time = { status: 'available', start_time: new Date(range.startTime).toISOString() }
    nock(api)
      .get('/event_type_available_times')
      .query(true)
      .reply(200, { collection: [{ ...time, invitees_remaining: 1 }] }, headers(9, seconds))
    t.match(await client.calendly.timesToBook(range), [{ startTime: range.startTime }])
    await client.read()
    await t.rejects(client.read(), { code: 'calendly_unavailable' })
    t.match(await client.calendly.cancelEvent(event), { kind: 'done' })
    t.ok(canceling.isDone())
    t.same(client.slept, [], 'nor do they wait until there is some for others')
  })
}

t.test('what is left is told per user, of those who have not called yet too', async (t) => {
  const bookingLimits = [{ limit: 100, windowMs: 86_400_000 }]
  const client = open([ada, noah], { bookingLimits })
  reading(ada).reply(200, found, headers(90, 60))
  await client.read()
  const bookings = [{ ...bookingLimits[0], used: 0 }]
  t.same(await client.calendly.quotas(), [
    { user: `${api}/users/U1`, limit: 100, remaining: 90, resetAt: client.now() + 60_000, bookings },
    { user: noah.user, bookings }
  ])
})
