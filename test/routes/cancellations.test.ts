import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import {
  asked,
  book,
  cancel,
  dayMs,
  eventTypes,
  freeTimes,
  read,
  timelineOf,
  untilStatus
} from './support/client.ts'

const path = '/scheduled_events/*/cancellation'

for (const engine of engines) {
  t.test(`cancellations (${engine})`, async (t) => {
    const system = movableSystem()
    const service = await openService(t, {
      engine,
      system,
      sandbox: { now: system.now },
      env: { BOOKING_LOOKUP_SECONDS: '0.05' }
    })
    const { call, control } = service
    const fail = (fault: Record<string, unknown>) =>
      control('POST', '/faults', { match: { method: 'POST', path }, times: 1, ...fault })
    const cancellations = () => asked(service, 'POST', /\/cancellation$/)
    const bookId = async (fields = {}) => String((await book(service, fields)).body.id)

    for (const [canceler_type, canceled_by] of [
      ['invitee', 'Grace Example'],
      ['host', 'Ada Berger'],
      ['system', 'system']
    ]) {
      t.test(`a cancellation by the ${canceler_type} says so, and frees the time`, async (t) => {
        const { body: booking } = await book(service)
        const canceled = await cancel(service, booking.id, { canceler_type, reason: 'Plans changed' })
        t.match(canceled, {
          status: 200,
          body: {
            refund: null,
            booking: {
              id: booking.id,
              status: 'canceled',
              change: null,
              cancellation: { canceler_type, canceled_by, reason: 'Plans changed', canceled_at: /Z$/ }
            }
          }
        })
        t.same((await read(service, booking.id)).body, canceled.body.booking)
        t.same(await timelineOf(service, booking.id), [
          'requested',
          'confirmed',
          'cancel_requested',
          'canceled'
        ])
        t.same((await cancellations()).at(-1).body, { reason: 'Plans changed' })
        t.ok((await freeTimes(service)).includes(booking.start_time))
        t.equal((await book(service, { start_time: booking.start_time })).status, 201)
      })
    }

    t.test('canceling twice is a success with the same answer, and Calendly is asked once', async (t) => {
      const id = await bookId()
      const before = (await cancellations()).length
      const idempotencyKey = randomUUID()
      const first = await cancel(service, id, {}, { idempotencyKey })
      const replayed = await cancel(service, id, {}, { idempotencyKey })
      const another = await cancel(service, id, { canceler_type: 'host' })
      t.match(replayed, { status: 200, text: first.text, headers: { 'idempotent-replayed': 'true' } })
      t.equal(another.status, 200)
      t.same(another.body, first.body)
      t.notOk('idempotent-replayed' in another.headers)
      t.equal((await cancellations()).length, before + 1)
    })

    t.test('several who cancel at once cancel once', async (t) => {
      const id = await bookId()
      const before = (await cancellations()).length
      const answers = await Promise.all(Array.from({ length: 8 }, () => cancel(service, id)))
      t.ok(answers.every(({ status }) => status === 200 || status === 202))
      await untilStatus(service, id, 'canceled')
      t.equal((await cancellations()).length, before + 1)
    })

    t.test('what is over or has begun cannot be canceled', async (t) => {
      const { body } = await book(service)
      system.moveTo(Date.parse(body.start_time) + 60_000)
      t.match(await cancel(service, body.id), { status: 409, body: { code: 'not_cancelable' } })
      system.moveTo(Date.parse(body.start_time) + 2 * dayMs)
      t.match(await cancel(service, body.id), { status: 409, body: { code: 'not_cancelable' } })
      t.match((await read(service, body.id)).body, { status: 'completed', cancellation: null, change: null })
    })

    t.test('a group event with others is canceled for everybody or for nobody', async (t) => {
      const [start_time] = await freeTimes(service, eventTypes.workshop)
      const fields = { event_type: eventTypes.workshop, start_time }
      const [one, two] = [await bookId(fields), await bookId(fields)]
      t.match(await cancel(service, one), { status: 409, body: { code: 'group_event' } })
      t.equal((await read(service, one)).body.status, 'confirmed')
      t.match(await cancel(service, one, { scope: 'event', canceler_type: 'host' }), {
        status: 200,
        body: { booking: { id: one, status: 'canceled' } }
      })
      t.match((await read(service, two)).body, {
        status: 'canceled',
        cancellation: { canceler_type: 'host' }
      })
      t.ok((await freeTimes(service, eventTypes.workshop)).includes(String(start_time)))
    })

    t.test('a group event whose only invitee cancels needs no scope', async (t) => {
      const id = await bookId({ event_type: eventTypes.workshop })
      t.match(await cancel(service, id), { status: 200, body: { booking: { status: 'canceled' } } })
    })

    t.test('what was already canceled at Calendly is a success', async (t) => {
      const { body } = await book(service)
      await control('POST', '/cancel', { invitee: body.calendly.invitee, by: 'host', reason: 'Ill' })
      t.match(await cancel(service, body.id), {
        status: 200,
        body: { booking: { status: 'canceled', cancellation: { reason: 'Ill' } } }
      })
    })

    t.test('a refusal of Calendly stands while its event does', async (t) => {
      const id = await bookId()
      await fail({
        kind: 'status',
        status: 403,
        body: { title: 'Permission Denied', message: 'You are not allowed to cancel this event' }
      })
      t.match(await cancel(service, id), {
        status: 409,
        body: { code: 'not_cancelable', detail: /not allowed/ }
      })
      t.match((await read(service, id)).body, { status: 'confirmed', change: null })
    })

    for (const [what, fault] of [
      ['lost', { kind: 'drop_after' }],
      ['a failure though it was done', { kind: 'status', status: 500, processed: true }],
      ['a failure and nothing was done', { kind: 'status', status: 500 }]
    ] as const) {
      t.test(`an answer that is ${what} is a 202 until it is known`, async (t) => {
        const id = await bookId()
        await fail(fault)
        const idempotencyKey = randomUUID()
        const lost = await cancel(service, id, { reason: 'Plans changed' }, { idempotencyKey })
        t.match(lost, {
          status: 202,
          headers: { location: `/api/v1/bookings/${id}`, 'retry-after': /^[1-9]\d*$/ },
          body: { booking: { id, status: 'confirmed', change: { kind: 'cancel', state: 'unknown' } } }
        })
        t.match(await untilStatus(service, id, 'canceled'), {
          change: null,
          cancellation: { canceler_type: 'invitee', canceled_by: 'Grace Example', reason: 'Plans changed' }
        })
        t.equal((await cancel(service, id, { reason: 'Plans changed' }, { idempotencyKey })).text, lost.text)
      })
    }

    t.test('what Calendly could not be asked for is a 202 too, and done once it can', async (t) => {
      const id = await bookId()
      await control('POST', '/tokens/revoke')
      t.match(await cancel(service, id), {
        status: 202,
        headers: { location: `/api/v1/bookings/${id}`, 'retry-after': /^[1-9]\d*$/ },
        body: { booking: { id, status: 'confirmed', change: { kind: 'cancel', state: 'pending' } } }
      })
      await control('POST', '/tokens/restore')
      t.match(await call('POST', '/api/v1/calendly/keys/primary/verify'), { body: { health: 'ok' } })
      t.match(await untilStatus(service, id, 'canceled'), {
        change: null,
        cancellation: { canceler_type: 'invitee', canceled_by: 'Grace Example' }
      })
    })

    t.test('a booking in doubt cannot be canceled yet', async (t) => {
      await control('POST', '/faults', {
        match: { path: '/invitees' },
        kind: 'status',
        status: 500,
        times: 1
      })
      const { status, body } = await book(service)
      t.equal(status, 202)
      t.match(await cancel(service, body.id), { status: 409, body: { code: 'not_cancelable' } })
    })

    t.test('money that was never taken is not given back', async (t) => {
      const id = await bookId()
      for (const refund of ['full', { amount: 5000 }]) {
        t.match(await cancel(service, id, { refund }), { status: 422, body: { code: 'not_refundable' } })
      }
      t.equal((await read(service, id)).body.status, 'confirmed')
      t.equal((await cancel(service, id, { refund: 'none' })).status, 200)
    })

    t.test('a body says who cancels, and nothing unknown', async (t) => {
      const id = await bookId()
      for (const [fields, pointer] of [
        [{ canceler_type: undefined }, '#/canceler_type'],
        [{ canceler_type: 'robot' }, '#/canceler_type'],
        [{ refund: { amount: 0.5 } }, '#/refund'],
        [{ scope: 'invitee' }, '#/scope'],
        [{ because: 'Ill' }, '#/because']
      ] as const) {
        const { status, body } = await cancel(service, id, fields)
        t.match({ status, code: body.code }, { status: 400, code: 'validation_failed' })
        t.ok(
          body.errors.some((error: { pointer: string }) => error.pointer.startsWith(pointer)),
          pointer
        )
      }
      t.equal((await read(service, id)).body.status, 'confirmed')
    })

    t.test('a booking that does not exist cannot be canceled', async (t) => {
      t.match(await cancel(service, 'bkg_none'), { status: 404, body: { code: 'booking_not_found' } })
    })

    t.test('Calendly is spoken to as it allows', async (t) => {
      t.same((await control('GET', '/violations')).violations, [])
    })
  })
}
