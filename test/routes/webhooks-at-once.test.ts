import t from 'tap'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'
import {
  bookings,
  eventTypes,
  freeTimes,
  timelineOf,
  untilApplied,
  untilSubscribed
} from './support/client.ts'

const people = Array.from({ length: 24 }, (_, index) => ({
  email: `person-${index}@example.com`,
  isMoved: index % 2 === 0,
  isCanceled: index % 3 === 0
}))

for (const engine of engines) {
  t.test(`webhooks that arrive all at once, each twice (${engine})`, async (t) => {
    const service = await openService(t, { engine, webhooks: true })
    const { call, control } = service
    await untilSubscribed(service)
    const times = await freeTimes(service)
    await control('POST', '/webhooks/mode', { withhold: true, duplicate: true })
    const expected = new Map<string, { status: string; start_time: string | undefined; invitee: string }>()
    for (const [index, { email, isMoved, isCanceled }] of people.entries()) {
      let start_time = times[2 * index]
      const event_type = eventTypes.thirtyMinutes
      let { invitee } = await control('POST', '/book', { event_type, start_time, email })
      if (isMoved) {
        start_time = times[2 * index + 1]
        invitee = (await control('POST', '/reschedule', { invitee: invitee.uri, start_time })).invitee
      }
      if (isCanceled) await control('POST', '/cancel', { invitee: invitee.uri })
      expected.set(email, { status: isCanceled ? 'canceled' : 'confirmed', start_time, invitee: invitee.uri })
    }
    await control('POST', '/webhooks/release')
    await untilApplied(service)

    t.test('each person has one booking, as it was left in the end', async (t) => {
      const found = await bookings(service)
      t.equal(found.length, people.length)
      for (const { status, start_time, invitee, calendly } of found) {
        t.same({ status, start_time, invitee: calendly.invitee }, expected.get(invitee.email), invitee.email)
      }
    })

    t.test('nothing of it happened twice, and no delivery died', async (t) => {
      for (const { id } of await bookings(service)) {
        const timeline = await timelineOf(service, id)
        for (const type of ['recorded', 'rescheduled', 'canceled']) {
          t.ok(timeline.filter((each) => each === type).length <= 1, `${id}: ${timeline}`)
        }
      }
      t.match((await call('GET', '/api/health')).body.queues.inbox, { waiting: 0, dead: 0 })
    })

    t.test('the time of whoever is gone can be booked, that of the others cannot', async (t) => {
      const free = new Set(await freeTimes(service))
      for (const { status, start_time } of expected.values()) {
        t.equal(free.has(String(start_time)), status === 'canceled', String(start_time))
      }
    })
  })
}
