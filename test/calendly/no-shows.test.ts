import nock from 'nock'
import t from 'tap'
import { api, forbidden, notFound, openTestClient } from './fixtures/client.ts'

nock.disableNetConnect()
t.afterEach(() => nock.cleanAll())

const invitee = `${api}/scheduled_events/E1/invitees/I1`
const uri = `${api}/invitee_no_shows/N1`
const marking = () => nock(api).post('/invitee_no_shows', { invitee })
const removing = () => nock(api).delete('/invitee_no_shows/N1')
const notStarted = { title: 'Invalid Argument', message: 'Event is not started yet' }

t.test('marking a no-show says where it is', async (t) => {
  const { calendly } = openTestClient()
  marking().reply(201, { resource: { uri, invitee, created_at: '2026-11-22T12:00:00.000Z' } })
  const createdAt = Date.parse('2026-11-22T12:00:00.000Z')
  t.same(await calendly.markNoShow(invitee), { kind: 'done', uri, createdAt })
})

t.test("a no-show that Calendly refuses is refused in Calendly's words", async (t) => {
  for (const [status, body, detail] of [
    [400, notStarted, 'Event is not started yet'],
    [403, forbidden, forbidden.message],
    [404, notFound, notFound.message],
    [422, undefined, 'Calendly answered 422']
  ] as const) {
    const { calendly } = openTestClient()
    marking().reply(status, body)
    t.same(await calendly.markNoShow(invitee), { kind: 'refused', detail }, String(status))
  }
})

t.test('a mark or a removal whose answer is lost is ambiguous, and is not sent again', async (t) => {
  for (const [status, body] of [
    [500, {}],
    [502, '<html>'],
    [201, { resource: {} }],
    [201, '{"resource":']
  ] as const) {
    const { calendly } = openTestClient()
    marking().reply(status, body)
    t.match(await calendly.markNoShow(invitee), { kind: 'ambiguous' })
  }
  const { calendly } = openTestClient()
  removing().reply(500)
  t.match(await calendly.removeNoShow(uri), { kind: 'ambiguous' })
  t.ok(nock.isDone())
})

t.test('what Calendly throttles was not done', async (t) => {
  const { calendly } = openTestClient()
  marking().times(3).reply(429, {}, { 'x-ratelimit-reset': '1' })
  t.match(await calendly.markNoShow(invitee), { kind: 'not_done' })
})

t.test('a no-show is removed, and one that is gone was', async (t) => {
  for (const status of [204, 404]) {
    const { calendly } = openTestClient()
    removing().reply(status)
    t.same(await calendly.removeNoShow(uri), { kind: 'done' })
  }
  const { calendly } = openTestClient()
  removing().reply(403, forbidden)
  t.match(await calendly.removeNoShow(uri), { kind: 'refused', detail: forbidden.message })
  t.match(await calendly.removeNoShow(invitee), { kind: 'refused' }, 'an invitee is no no-show')
})
