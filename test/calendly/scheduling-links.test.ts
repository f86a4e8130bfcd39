import nock from 'nock'
import t from 'tap'
import { api, forbidden, notFound, openTestClient } from './fixtures/client.ts'

nock.disableNetConnect()
t.afterEach(() => nock.cleanAll())

const eventType = `${api}/event_types/A`
const bookingUrl = 'https://calendly.com/d/abcd-brv8/15-minute-meeting'
const asking = () =>
  nock(api).post('/scheduling_links', { max_event_count: 1, owner: eventType, owner_type: 'EventType' })

t.test('a link is for one booking of the event type', async (t) => {
  const { calendly } = openTestClient()
  asking().reply(201, { resource: { booking_url: bookingUrl, owner: eventType, owner_type: 'EventType' } })
  t.same(await calendly.createSchedulingLink(eventType), { bookingUrl })
})

t.test('a refused link says why, a lost one that Calendly is away', async (t) => {
  const invalid = { title: 'Invalid Argument', message: 'owner is invalid' }
  for (const [status, body, code, message] of [
    [404, notFound, 'event_type_not_found'],
    [400, invalid, 'calendly_rejected', 'owner is invalid'],
    [403, forbidden, 'calendly_rejected', forbidden.message],
    [422, invalid, 'calendly_rejected', 'owner is invalid'],
    [500, {}, 'calendly_unavailable'],
    [201, { resource: { booking_url: 'not an address' } }, 'calendly_unavailable'],
    [201, '{"resource":', 'calendly_unavailable']
  ] as const) {
    const { calendly } = openTestClient()
    asking().reply(status, body)
    await t.rejects(calendly.createSchedulingLink(eventType), { code, ...(message && { message }) })
    t.ok(nock.isDone())
  }
})
