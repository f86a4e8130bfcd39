import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { openService, until } from '../support/service.ts'
import { book, freeTimes, iso, read, timelineOf, untilApplied, untilSubscribed } from './support/client.ts'

const posting = { method: 'POST', path: '/invitees' }
const canceling = { method: 'POST', path: '/scheduled_events/*/cancellation' }
const hurried = { BOOKING_LOOKUP_SECONDS: '0.05', BOOKING_ABSENCE_SECONDS: '0.3' }

for (const engine of engines) {
  for (const webhooks of [false, true]) {
    t.test(`reschedules whose answers are lost (${engine}, webhooks: ${webhooks})`, async (t) => {
      const service = await openService(t, { engine, webhooks, env: hurried })
      const { call, control } = service
      if (webhooks) await untilSubscribed(service)

      const cases = [
        ['the booking’s answer', { match: posting, kind: 'drop_after' }, {}],
        ['the booking itself', { match: posting, kind: 'status', status: 500 }, {}],
        ['the cancellation’s answer', { match: canceling, kind: 'reset_after' }, {}],
        ['the cancellation itself', { match: canceling, kind: 'status', status: 502 }, {}],
        ['the first cancellation’s answer', { match: canceling, kind: 'truncate' }, { cancel_first: true }],
        ['the booking’s after it', { match: posting, kind: 'truncate' }, { cancel_first: true }]
      ] as const
      for (const [what, fault, fields] of cases) {
        t.test(`${what}: it is done once, and told where to look`, async (t) => {
          const { body: booking } = await book(service)
          const [, , start_time] = await freeTimes(service)
          await control('POST', '/faults', { times: 1, ...fault })
          const answer = await call('POST', `/api/v1/bookings/${booking.id}/reschedule`, {
            idempotencyKey: randomUUID(),
            body: { start_time, ...fields }
          })
          if (answer.status === 202) {
            t.match(answer, {
              headers: { location: `/api/v1/bookings/${booking.id}`, 'retry-after': /^[1-9]\d*$/ },
              body: { status: 'confirmed', change: { kind: 'reschedule' } }
            })
          } else t.equal(answer.status, 200, 'a webhook came before the answer was missed')
          const { body } = await until(
            () => read(service, booking.id),
            ({ body }) => body.change === null
          )
          t.match(body, {
            status: 'confirmed',
            start_time,
            reschedules: [{ from: booking.start_time, to: start_time }]
          })
          if (webhooks) await untilApplied(service)
          const { scheduled_events: events } = await control('GET', '/state')
          const mine = events.filter(
            (event: { status: string; start_time: string }) =>
              event.status === 'active' &&
              [booking.start_time, start_time].includes(
                iso(Date.parse(event.start_time)).replace('.000Z', 'Z')
              )
          )
          t.same(
            mine.map(({ uri }: { uri: string }) => uri),
            [body.calendly.event]
          )
          t.equal((await timelineOf(service, booking.id)).filter((type) => type === 'rescheduled').length, 1)
          await call('POST', `/api/v1/bookings/${booking.id}/cancel`, {
            idempotencyKey: randomUUID(),
            body: { canceler_type: 'host' }
          })
        })
      }
    })
  }
}
