import nock from 'nock'
import t from 'tap'
import { api, notFound, openTestClient, startOfTest } from './fixtures/client.ts'

nock.disableNetConnect()
t.afterEach(() => nock.cleanAll())

const day = 86_400_000
const eventType = `${api}/event_types/A`
const at = (text: string) => Date.parse(text)
const slot = (start_time: string, invitees_remaining = 1) => ({
  status: 'available',
  start_time,
  invitees_remaining
})
const asking = (query: object | true = true) =>
  nock(api)
    .get('/event_type_available_times')
    .query(query as true)

/** Calendly with a slot at noon of every day, which notes the ranges it is asked for. */
function noonEveryDay() {
  const asked: { startTime: number; endTime: number }[] = []
  nock(api)
    .persist()
    .get('/event_type_available_times')
    .query(true)
    .reply(({ url }: Request) => {
      const query = new URL(url).searchParams
      const startTime = at(query.get('start_time') ?? '')
      const endTime = at(query.get('end_time') ?? '')
      asked.push({ startTime, endTime })
      const collection = []
      for (let noon = Math.ceil(startTime / day) * day - day / 2; noon < endTime; noon += day) {
        if (noon >= startTime) collection.push(slot(new Date(noon).toISOString()))
      }
      return [200, { collection: collection.reverse() }]
    })
  return asked
}

t.test('half a year is asked for in allowed windows and comes back whole, in order', async (t) => {
  const { calendly, now } = openTestClient()
  const asked = noonEveryDay()
  const endTime = startOfTest + 180 * day
  const { times, asOf, stale } = await calendly.availableTimes({ eventType, startTime: startOfTest, endTime })
  t.equal(times.length, 180)
  t.same(
    times.map(({ startTime }) => startTime),
    times.map(({ startTime }) => startTime).toSorted((a, b) => a - b)
  )
  t.equal(asOf, now())
  t.equal(stale, false)
  t.ok(asked.length <= 7)
  t.ok(
    asked.every((range) => range.endTime - range.startTime <= 31 * day && range.startTime >= now() + 60_000)
  )
})

t.test('another range inside known windows costs no call, until they are no longer fresh', async (t) => {
  const client = openTestClient()
  const asked = noonEveryDay()
  const ask = (from: number, to: number) =>
    client.calendly.availableTimes({
      eventType,
      startTime: startOfTest + from * day,
      endTime: startOfTest + to * day
    })
  await ask(0, 20)
  const calls = asked.length
  client.pass(14_999)
  t.equal((await ask(5, 8)).times.length, 3)
  t.equal(asked.length, calls)
  client.pass(1)
  await ask(5, 8)
  t.ok(asked.length > calls)
})

t.test('askers at the same time share their calls', async (t) => {
  const { calendly } = openTestClient()
  const asked = noonEveryDay()
  const range = { startTime: startOfTest, endTime: startOfTest + 90 * day }
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => calendly.availableTimes({ eventType, ...range }))
  )
  t.ok(answers.every(({ times }) => times.length === 90))
  t.ok(asked.length <= 4)
})

t.test('the range is half-open, and a time that passes while remembered is not served', async (t) => {
  const client = openTestClient()
  asking().reply(200, {
    collection: [
      slot('2026-11-22T12:05:00.000000Z', 3),
      slot('2026-11-22T13:00:00Z'),
      slot('2026-11-22T14:00:00Z')
    ]
  })
  const ask = () =>
    client.calendly.availableTimes({ eventType, startTime: startOfTest, endTime: at('2026-11-22T14:00:00Z') })
  t.same((await ask()).times, [
    { startTime: at('2026-11-22T12:05:00Z'), inviteesRemaining: 3, schedulingUrl: undefined },
    { startTime: at('2026-11-22T13:00:00Z'), inviteesRemaining: 1, schedulingUrl: undefined }
  ])

  const late = openTestClient({ cacheTtlMs: 3_600_000 })
  asking().reply(200, { collection: [slot('2026-11-22T12:05:00Z'), slot('2026-11-22T13:00:00Z')] })
  const askLate = () =>
    late.calendly.availableTimes({ eventType, startTime: 0, endTime: at('2026-11-22T14:00:00Z') })
  t.equal((await askLate()).times.length, 2)
  late.pass(10 * 60_000)
  t.same(
    (await askLate()).times.map(({ startTime }) => startTime),
    [at('2026-11-22T13:00:00Z')]
  )
})

t.test('a past range is empty and costs no call', async (t) => {
  const { calendly } = openTestClient()
  const range = { startTime: startOfTest - 2 * day, endTime: startOfTest - day }
  t.same(await calendly.availableTimes({ eventType, ...range }), {
    times: [],
    asOf: startOfTest,
    stale: false
  })
})

t.test('with Calendly down the last answer is served, and says how old it is', async (t) => {
  const client = openTestClient()
  const range = { startTime: startOfTest, endTime: startOfTest + 3_600_000 }
  asking().reply(200, { collection: [slot('2026-11-22T12:30:00Z')] })
  await client.calendly.availableTimes({ eventType, ...range })
  client.pass(5 * 60_000)
  asking().times(3).reply(502, '<html>')
  t.match(await client.calendly.availableTimes({ eventType, ...range }), {
    times: [{ startTime: at('2026-11-22T12:30:00Z') }],
    asOf: startOfTest,
    stale: true
  })
  client.pass(5 * 60_000)
  asking().times(3).reply(502, '<html>')
  await t.rejects(client.calendly.availableTimes({ eventType, ...range }), { code: 'calendly_unavailable' })
})

t.test('a refusal is told, whatever is remembered', async (t) => {
  for (const [status, code] of [
    [403, 'calendly_unavailable'],
    [404, 'event_type_not_found']
  ] as const) {
    const client = openTestClient()
    const range = { startTime: startOfTest, endTime: startOfTest + 3_600_000 }
    asking().reply(200, { collection: [slot('2026-11-22T12:30:00Z')] })
    await client.calendly.availableTimes({ eventType, ...range })
    client.pass(60_000)
    asking().reply(status, notFound)
    await t.rejects(client.calendly.availableTimes({ eventType, ...range }), { code })
  }
})

t.test('with every key refused the last answer is still served, marked as stale', async (t) => {
  const client = openTestClient()
  const range = { startTime: startOfTest, endTime: startOfTest + 3_600_000 }
  asking().reply(200, { collection: [slot('2026-11-22T12:30:00Z')] })
  await client.calendly.availableTimes({ eventType, ...range })
  client.pass(60_000)
  asking().reply(401, {})
  t.match(await client.calendly.availableTimes({ eventType, ...range }), { stale: true })
  t.match(client.calendly.health(), { keys: [{ health: 'invalid' }] })
})

t.test('fresh times go past the cache, and a dropped event type is asked for again', async (t) => {
  const { calendly } = openTestClient()
  const asked = noonEveryDay()
  const ask = (fresh = false, type = eventType) =>
    calendly.availableTimes({
      eventType: type,
      startTime: startOfTest,
      endTime: startOfTest + 3 * day,
      fresh
    })
  const calls = async (run: () => Promise<unknown>) => {
    const before = asked.length
    await run()
    return asked.length - before
  }
  t.equal(await calls(() => ask()), 1)
  t.equal(await calls(() => ask()), 0)
  t.equal(await calls(() => ask(true)), 1)
  await ask(false, `${eventType}B`)
  calendly.dropAvailability(eventType)
  t.equal(await calls(() => ask()), 1)
  t.equal(await calls(() => ask(false, `${eventType}B`)), 0, 'the type whose id merely starts alike is kept')
})
