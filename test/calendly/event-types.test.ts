import nock from 'nock'
import t from 'tap'
import type { EventType } from '../../src/core/calendly.ts'
import { api, me, openTestClient, startOfTest } from './fixtures/client.ts'

nock.disableNetConnect()
t.afterEach(() => nock.cleanAll())

const day = 86_400_000
const wire = (id: string) => ({ resource: typeOf(id) })
const typeOf = (id: string) => ({ uri: `${api}/event_types/${id}`, duration: 30, custom_questions: [] })

t.test('the list is read once for all who ask within a minute', async (t) => {
  const { calendly, pass } = openTestClient()
  nock(api).get('/users/me').reply(200, me)
  const listings = nock(api)
    .get('/event_types')
    .query(true)
    .times(2)
    .reply(200, { collection: [typeOf('A')] })
  const answers = await Promise.all(Array.from({ length: 20 }, () => calendly.listEventTypes()))
  pass(59_999)
  answers.push(await calendly.listEventTypes())
  t.ok(answers.every(([first]) => first?.uri === `${api}/event_types/A`))
  t.ok(listings.isDone())
  t.match(calendly.health().cache.kinds, {
    event_type_listings: { misses: 1, coalesced: 19, hits: 1 },
    users: { misses: 1, coalesced: 19, hits: 1 }
  })
})

t.test('that there is no such event type is remembered for a second', async (t) => {
  const { calendly, pass } = openTestClient()
  const uri = `${api}/event_types/A`
  nock(api).get('/event_types/A').reply(404, {})
  t.equal(await calendly.findEventType(uri), undefined)
  pass(999)
  t.equal(await calendly.findEventType(uri), undefined)
  nock(api).get('/event_types/A').reply(200, wire('A'))
  pass(1)
  t.match(await calendly.findEventType(uri), { uri })
})

t.test('a booking is known to take time from the other event types of its hosts', async (t) => {
  const { calendly, announced } = openTestClient()
  const asked: string[] = []
  nock(api)
    .persist()
    .get('/event_type_available_times')
    .query(true)
    .reply(({ url }: Request) => {
      asked.push(new URL(url).searchParams.get('event_type') ?? '')
      return [200, { collection: [] }]
    })
  const [ada, bob] = [`${api}/users/ADA`, `${api}/users/BOB`]
  nock(api)
    .get('/event_type_memberships')
    .query(true)
    .reply(200, { collection: [{ member: { uri: ada } }, { member: { uri: bob } }] })
  const base = { durationMinutes: 30, poolingType: undefined } as EventType
  const own = { ...base, uri: `${api}/event_types/OWN`, profile: { type: 'User', owner: ada } }
  const others = {
    ...base,
    uri: `${api}/event_types/OTHERS`,
    profile: { type: 'User', owner: `${api}/users/C` }
  }
  const team = { ...base, uri: `${api}/event_types/TEAM`, poolingType: 'round_robin' }
  const askAll = async () => {
    for (const { uri } of [own, others, team]) {
      const range = { startTime: startOfTest, endTime: startOfTest + day }
      await calendly.availableTimes({ eventType: uri, ...range })
    }
    return asked.splice(0)
  }
  await askAll()
  for (const eventType of [own, others, team]) await calendly.listHosts(eventType)
  calendly.dropAvailability(own.uri)
  t.same(await askAll(), [own.uri, team.uri])
  calendly.dropAvailability(team.uri, [bob])
  t.same(await askAll(), [team.uri])
  t.same(announced, [
    { kind: 'availability', eventType: own.uri, hosts: [ada] },
    { kind: 'availability', eventType: team.uri, hosts: [bob] }
  ])
})

t.test('a changed event type, its times and the lists are asked for again, on every replica', async (t) => {
  const clients = [openTestClient(), openTestClient()] as const
  const [one, other] = clients
  const calls: string[] = []
  const count = (name: string, body: object) => () => {
    calls.push(name)
    return [200, body] as [number, object]
  }
  nock(api).persist().get('/users/me').reply(200, me)
  nock(api)
    .persist()
    .get('/event_types/A')
    .reply(count('A', wire('A')))
  nock(api)
    .persist()
    .get('/event_types/B')
    .reply(count('B', wire('B')))
  nock(api)
    .persist()
    .get('/event_types')
    .query(true)
    .reply(count('list', { collection: [typeOf('A')] }))
  nock(api)
    .persist()
    .get('/event_type_available_times')
    .query(true)
    .reply(({ url }: Request) => {
      calls.push(`times of ${new URL(url).searchParams.get('event_type')?.at(-1)}`)
      return [200, { collection: [] }]
    })
  const [startTime, endTime] = [startOfTest + day, startOfTest + 2 * day]
  const askAll = async ({ calendly }: (typeof clients)[number]) => {
    calls.length = 0
    for (const id of ['A', 'B']) {
      await calendly.findEventType(`${api}/event_types/${id}`)
      await calendly.availableTimes({ eventType: `${api}/event_types/${id}`, startTime, endTime })
    }
    await calendly.listEventTypes()
    return calls.toSorted()
  }
  const everything = ['A', 'B', 'list', 'list', 'times of A', 'times of B']
  for (const client of clients) {
    t.same(await askAll(client), everything)
    t.same(await askAll(client), [])
  }
  one.calendly.dropEventType(`${api}/event_types/A`)
  t.same(one.announced, [{ kind: 'event_type', eventType: `${api}/event_types/A` }])
  for (const news of one.announced) other.calendly.hear(news)
  t.same(other.announced, [])
  for (const client of clients) t.same(await askAll(client), ['A', 'list', 'list', 'times of A'])
})
