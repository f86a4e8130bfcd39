import Calendly from 'node-calendly'
import t from 'tap'
import { standard } from '../../src/sandbox/standard.ts'
import { start, uuidOf } from './support/client.ts'

// The package was written against the real Calendly by somebody else; its host is fixed, so fetch is redirected.
const client = await start(t, { now: Date.now })
const realFetch = globalThis.fetch
globalThis.fetch = (input, init) =>
  realFetch(String(input).replace('https://api.calendly.com', client.sandbox.url), init)
t.teardown(() => {
  globalThis.fetch = realFetch
})

const calendly = new Calendly.default(client.sandbox.token)

t.test('an independent client reads the current user', async (t) => {
  const user = await calendly.users.getCurrentUser()
  t.match(user, { uri: standard.users.ada, name: 'Ada Berger', timezone: 'Europe/Berlin' })
  t.equal(await calendly.getOrganizationUri(), standard.organization)
})

t.test('an independent client reads event types, one and many', async (t) => {
  const { collection, pagination } = await calendly.eventTypes.listUsersEventTypes({ active: true, count: 2 })
  t.equal(collection.length, 2)
  t.equal(pagination.count, 2)
  const rest = await calendly.eventTypes.listUsersEventTypes({
    active: true,
    count: 2,
    page_token: String(pagination.next_page_token)
  })
  t.same(
    [...collection, ...rest.collection].map(({ name }) => name),
    ['30 Minute Meeting', 'Consultation', 'Group Workshop', 'Kickoff']
  )
  const one = await calendly.eventTypes.getEventType({ uuid: uuidOf(standard.eventTypes.consultation) })
  t.match(one, { name: 'Consultation', duration: 30, kind: 'solo' })
})

t.test('an independent client finds a time, and the meeting that was booked at it', async (t) => {
  const from = new Date(Date.now() + 86_400_000)
  const { collection: times } = await calendly.eventTypes.listEventAvailableTimes({
    event_type: standard.eventTypes.thirtyMinutes,
    start_time: from,
    end_time: new Date(from.getTime() + 7 * 86_400_000)
  })
  const time = String(times[0]?.start_time)
  await client.control('/book', { event_type: standard.eventTypes.thirtyMinutes, start_time: time })

  const { collection: events } = await calendly.scheduledEvents.listEvents({
    user: standard.users.ada,
    min_start_time: from,
    status: 'active'
  })
  t.equal(events.length, 1)
  t.equal(new Date(String(events[0]?.start_time)).toISOString(), new Date(time).toISOString())

  const invitees = await calendly.scheduledEvents.listEventInvitees(uuidOf(String(events[0]?.uri)), {})
  t.match(invitees.collection, [{ email: 'iris@example.com', status: 'active' }])
})
