import t from 'tap'
import { engines } from '../support/database.ts'
import { openService, until } from '../support/service.ts'
import { availability, book, cancel, slotsOf, timelineOf, untilSubscribed } from './support/client.ts'

for (const engine of engines) {
  t.test(`a booking goes from free time to confirmation, webhook and cancellation (${engine})`, async (t) => {
    const service = await openService(t, { engine, webhooks: true })
    const { call, control } = service
    await untilSubscribed(service)
    const webhooks = () => control('GET', '/deliveries')
    const isDelivered = ({ state }: { state: string }) => state === 'delivered'

    const free = await availability(service, { timezone: 'America/New_York' })
    t.equal(free.status, 200, free.text.slice(0, 300))
    const slot = slotsOf(free)[2]
    const booked = await book(service, { start_time: slot.start_time })
    t.equal(booked.status, 201, booked.text)
    t.match(booked.body, { status: 'confirmed', start_time: slot.start_time, end_time: slot.end_time })
    await until(webhooks, ({ deliveries }) => deliveries.some(isDelivered))

    const { id } = booked.body
    const canceled = await cancel(service, id, { reason: 'Plans changed' })
    t.equal(canceled.status, 200, canceled.text)
    t.match(canceled.body.booking, {
      id,
      status: 'canceled',
      cancellation: { canceler_type: 'invitee', canceled_by: 'Grace Example', reason: 'Plans changed' }
    })
    await until(webhooks, ({ deliveries }) => deliveries.length === 2 && deliveries.every(isDelivered))

    const health = await until(
      () => call('GET', '/api/health'),
      ({ body }) => body.queues.inbox.waiting === 0
    )
    t.match(health.body, { status: 'ok', queues: { inbox: { waiting: 0, dead: 0 } } })
    t.match(await timelineOf(service, id), ['requested', 'confirmed', 'cancel_requested', 'canceled'])
    t.equal((await call('GET', '/api/v1/bookings')).body.data.length, 1)
    t.same((await control('GET', '/violations')).violations, [])
  })
}
