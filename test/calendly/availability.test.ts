import nock from 'nock'
import t from 'tap'
import { api, notFound, openTestClient, startOfTest } from './fixtures/client.ts'

nock.disableNetConnect()
t.afterEach(() => nock.cleanAll())

const day = 86_400_000
const minute = 60_000
const eventType = `${api}/event_types/A`
const range = { eventType, startTime: startOfTest, endTime: startOfTest + 3_600_000 }
const at = (text: string) => Date.parse(text)
const slot = (start_time: string, invitees_remaining = 1) => ({
  status: 'available',
  start_time,
  invitees_remaining
})
const asking = () => nock(api).get('/event_type_available_times').query(true)
const offering = (...slots: ReturnType<typeof slot>[]) => asking().reply(200, { collection: slots })
/** Lets what goes on in the background come to its end. */
const untilAsked = async (scope: nock.Scope) => {
  while (!scope.isDone()) await new Promise((resolve) => setImmediate(resolve))
}

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
  const { times, asOf, stale } = await calendly.availableTimes({ ...range, endTime })
  t.equal(times.length, 180)
  t.same(
    times.map(({ startTime }) => startTime),
    times.map(({ startTime }) => startTime).toSorted((a, b) => a - b)
  )
  t.equal(asOf, now())
  t.equal(stale, false)
  t.equal(asked.length, 6)
  t.ok(asked.every(({ startTime, endTime }) => endTime - startTime <= 31 * day))
  t.ok(asked.every(({ startTime }) => startTime >= now() + minute))
})

t.test('askers at the same time share their calls', async (t) => {
  const { calendly } = openTestClient()
  const asked = noonEveryDay()
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      calendly.availableTimes({ ...range, endTime: startOfTest + (n + 1) * day })
    )
  )
  t.same(
    answers.map(({ times }) => times.length),
    answers.map((_, n) => n + 1)
  )
  t.equal(asked.length, 2)
})

t.test('the range is half-open, and a time that passes while remembered is not served', async (t) => {
  const client = openTestClient({ cacheTtlMs: 3_600_000 })
  offering(slot('2026-11-22T12:05:00.000000Z', 3), slot('2026-11-22T13:00:00Z'), slot('2026-11-22T14:00:00Z'))
  const ask = (startTime: number) =>
    client.calendly.availableTimes({ eventType, startTime, endTime: at('2026-11-22T14:00:00Z') })
  t.same((await ask(startOfTest)).times, [
    { startTime: at('2026-11-22T12:05:00Z'), inviteesRemaining: 3, schedulingUrl: undefined },
    { startTime: at('2026-11-22T13:00:00Z'), inviteesRemaining: 1, schedulingUrl: undefined }
  ])
  client.pass(10 * minute)
  t.same(
    (await ask(0)).times.map(({ startTime }) => startTime),
    [at('2026-11-22T13:00:00Z')]
  )
})

t.test('a past range is empty and costs no call', async (t) => {
  const { calendly } = openTestClient()
  const past = { eventType, startTime: startOfTest - 2 * day, endTime: startOfTest - day }
  t.same(await calendly.availableTimes(past), { times: [], asOf: startOfTest, stale: false })
})

t.test('what is no longer fresh is served at once, marked, and Calendly is asked behind it', async (t) => {
  const client = openTestClient()
  offering(slot('2026-11-22T12:30:00Z'))
  await client.calendly.availableTimes(range)
  client.pass(15_000)
  const scope = offering(slot('2026-11-22T12:40:00Z'))
  t.match(await client.calendly.availableTimes(range), {
    times: [{ startTime: at('2026-11-22T12:30:00Z') }],
    asOf: startOfTest,
    stale: true
  })
  await untilAsked(scope)
  let latest = await client.calendly.availableTimes(range)
  while (latest.stale) latest = await client.calendly.availableTimes(range)
  t.match(latest, {
    times: [{ startTime: at('2026-11-22T12:40:00Z') }],
    asOf: startOfTest + 15_000
  })
})

t.test('with Calendly down the last answer is served, and says how old it is', async (t) => {
  const client = openTestClient()
  offering(slot('2026-11-22T12:30:00Z'))
  await client.calendly.availableTimes(range)
  client.pass(5 * minute)
  asking().times(3).reply(502, '<html>')
  t.match(await client.calendly.availableTimes(range), {
    times: [{ startTime: at('2026-11-22T12:30:00Z') }],
    asOf: startOfTest,
    stale: true
  })
  client.pass(5 * minute)
  asking().times(3).reply(502, '<html>')
  await t.rejects(client.calendly.availableTimes(range), { code: 'calendly_unavailable' })
})

t.test('a refusal is told, whatever is remembered', async (t) => {
  for (const [status, code] of [
    [403, 'calendly_unavailable'],
    [404, 'event_type_not_found']
  ] as const) {
    const client = openTestClient()
    offering(slot('2026-11-22T12:30:00Z'))
    await client.calendly.availableTimes(range)
    client.pass(3 * minute)
    asking().reply(status, notFound)
    await t.rejects(client.calendly.availableTimes(range), { code })
    await t.rejects(client.calendly.availableTimes(range), { code }, 'and not asked for again at once')
  }
})

t.test('with every key refused the last answer is still served, marked', async (t) => {
  const client = openTestClient()
  offering(slot('2026-11-22T12:30:00Z'))
  await client.calendly.availableTimes(range)
  client.pass(3 * minute)
  asking().reply(401, {})
  nock(api).get('/users/me').reply(401, {})
  t.match(await client.calendly.availableTimes(range), { stale: true })
  t.match(client.calendly.health(), { keys: [{ health: 'invalid' }] })
})

t.test('fresh times go past the cache', async (t) => {
  const { calendly } = openTestClient()
  const asked = noonEveryDay()
  await calendly.availableTimes(range)
  await calendly.availableTimes({ ...range, fresh: true })
  t.equal(asked.length, 2)
  t.match(calendly.health().cache.kinds, { availability: { hits: 0, misses: 2 } })
})

t.test('what a replica books is forgotten by the others, who do not tell it on', async (t) => {
  const replica = openTestClient()
  const other = openTestClient()
  const asked = noonEveryDay()
  await replica.calendly.availableTimes(range)
  await other.calendly.availableTimes(range)
  nock(api).post('/invitees').reply(400, {})
  await replica.calendly.createInvitee({
    eventType,
    startTime: startOfTest + day,
    invitee: { name: 'Ada', email: 'ada@example.com', timezone: 'UTC' },
    questionsAndAnswers: [],
    tracking: {},
    guests: []
  })
  t.same(replica.announced, [{ kind: 'availability', eventType, hosts: [] }])
  for (const news of replica.announced) other.calendly.hear(news)
  await replica.calendly.availableTimes(range)
  await other.calendly.availableTimes(range)
  t.equal(asked.length, 4)
  t.same(other.announced, [])
})

t.test('when news may have been missed, nothing is remembered any more', async (t) => {
  const { calendly } = openTestClient()
  const asked = noonEveryDay()
  await calendly.availableTimes(range)
  calendly.forget()
  await calendly.availableTimes(range)
  t.equal(asked.length, 2)
})
