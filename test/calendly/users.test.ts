import nock from 'nock'
import t from 'tap'
import type { EventType } from '../../src/core/calendly.ts'
import { api, forbidden, me, notFound, openTestClient, startOfTest } from './fixtures/client.ts'

nock.disableNetConnect()
t.afterEach(() => nock.cleanAll())

const ada = `${api}/users/ADA`
const day = 86_400_000
const hour = 3_600_000
const iso = (at: number) => new Date(at).toISOString()
const busy = (startTime: number, rest: object = {}) => ({
  type: 'external',
  start_time: iso(startTime),
  end_time: iso(startTime + hour),
  ...rest
})
const typeOf = (profile?: EventType['profile']) => ({ profile }) as EventType
const typeOfAda = typeOf({ type: 'User', owner: ada })
const reading = (query: nock.DataMatcherMap | true = true) =>
  nock(api)
    .get('/user_busy_times')
    .query(query as nock.DataMatcherMap)
const zoneOf = (timezone: string) => ({ resource: { ...me.resource, uri: ada, timezone } })

t.test('busy times are read in weeks, and what lies across their border is told once', async (t) => {
  const { calendly } = openTestClient()
  const startTime = startOfTest + day
  const border = startTime + 7 * day
  const across = busy(border - hour / 2, { type: 'calendly', event: { uri: `${api}/scheduled_events/E1` } })
  const first = reading({ user: ada, start_time: iso(startTime), end_time: iso(border) }).reply(200, {
    collection: [busy(startTime), across]
  })
  const second = reading({ user: ada, start_time: iso(border), end_time: iso(border + 2 * day) }).reply(200, {
    collection: [across, { ...busy(border + day), type: null }]
  })
  t.same(await calendly.busyTimes(ada, startTime, border + 2 * day), [
    { type: 'external', startTime, endTime: startTime + hour, event: undefined },
    {
      type: 'calendly',
      startTime: border - hour / 2,
      endTime: border + hour / 2,
      event: `${api}/scheduled_events/E1`
    },
    { type: 'external', startTime: border + day, endTime: border + day + hour, event: undefined }
  ])
  t.ok(first.isDone() && second.isDone())
})

t.test('Calendly is never asked when somebody was busy in the past', async (t) => {
  const { calendly } = openTestClient()
  t.same(await calendly.busyTimes(ada, startOfTest - day, startOfTest), [])
  const soon = startOfTest + 90_000
  const asked = reading({ user: ada, start_time: iso(soon), end_time: iso(startOfTest + day) }).reply(200, {
    collection: []
  })
  t.same(await calendly.busyTimes(ada, startOfTest - day, startOfTest + day), [])
  t.ok(asked.isDone())
})

t.test('who asks at once for the same busy times shares one call, who asks later gets another', async (t) => {
  const { calendly } = openTestClient()
  let calls = 0
  reading()
    .times(2)
    .reply(() => [200, { collection: [busy(startOfTest + day + ++calls * hour)] }])
  const ask = async () =>
    (await calendly.busyTimes(ada, startOfTest + day, startOfTest + 2 * day))[0]?.startTime
  const answers = await Promise.all(Array.from({ length: 20 }, ask))
  t.same(new Set(answers), new Set([startOfTest + day + hour]))
  t.equal(await ask(), startOfTest + day + 2 * hour)
})

t.test('busy times that Calendly may not or cannot tell are none, its failure is a failure', async (t) => {
  for (const [status, body] of [
    [403, forbidden],
    [404, notFound],
    [424, { title: 'External Calendar Error', message: 'There is a problem accessing your calendar.' }]
  ] as const) {
    const { calendly } = openTestClient()
    reading().reply(status, body)
    t.same(await calendly.busyTimes(ada, startOfTest + day, startOfTest + 2 * day), [], String(status))
  }
  const { calendly } = openTestClient()
  reading().times(3).reply(503)
  await t.rejects(calendly.busyTimes(ada, startOfTest + day, startOfTest + 2 * day), {
    code: 'calendly_unavailable'
  })
})

t.test("an event type's zone is its owner's, asked for once an hour", async (t) => {
  const { calendly, pass } = openTestClient()
  nock(api).get('/users/ADA').reply(200, zoneOf('Asia/Kathmandu'))
  t.equal(await calendly.timeZoneOf(typeOfAda), 'Asia/Kathmandu')
  pass(3_599_999)
  t.equal(await calendly.timeZoneOf(typeOfAda), 'Asia/Kathmandu')
  nock(api).get('/users/ADA').reply(200, zoneOf('Asia/Tokyo'))
  pass(2 * 60_000)
  t.equal(await calendly.timeZoneOf(typeOfAda), 'Asia/Tokyo')
})

t.test('the zone of a team, or of a user that may not be looked at, is our own', async (t) => {
  for (const status of [403, 404]) {
    const { calendly } = openTestClient()
    nock(api).get('/users/me').reply(200, me)
    const asked = nock(api).get('/users/ADA').reply(status, forbidden)
    t.equal(await calendly.timeZoneOf(typeOfAda), 'Europe/Berlin')
    t.equal(await calendly.timeZoneOf(typeOf({ type: 'Team', owner: `${api}/teams/T` })), 'Europe/Berlin')
    t.equal(await calendly.timeZoneOf(typeOf()), 'Europe/Berlin')
    t.ok(asked.isDone())
  }
})
