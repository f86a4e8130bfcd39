import { randomUUID } from 'node:crypto'
import t from 'tap'
import { formatInstant } from '../../src/core/instants.ts'
import { engines } from '../support/database.ts'
import { type Answer, openService, type Service, until } from '../support/service.ts'
import { asked, bookings, dayMs, eventTypes, iso, untilSubscribed } from './support/client.ts'

type Body = Answer['body']

const { thirtyMinutes, workshop } = eventTypes
const path = '/api/v1/reconciliations'
const request = ({ call }: Service, fields: object = {}, options: object = {}) =>
  call('POST', path, { ...options, body: { kind: 'calendly', ...fields } })

const isOver = ({ body }: Answer) => body.status === 'succeeded' || body.status === 'failed'

/** What a comparison found, once it is over. */
async function reconcile(service: Service, fields: object = {}): Promise<Body> {
  const { status, headers, text } = await request(service, fields)
  if (status !== 202) throw new Error(text)
  return (await until(() => service.call('GET', String(headers.location)), isOver)).body
}

for (const engine of engines) {
  t.test(`what Calendly never told is found out (${engine})`, async (t) => {
    const service = await openService(t, { engine })
    const { control, call } = service
    const person = async (fields: object = {}) =>
      (await control('POST', '/book', { event_type: thirtyMinutes, ...fields })).invitee as Body

    t.test('50 bookings and 20 cancellations, each once', async (t) => {
      const { invitees } = await control('POST', '/book-many', { event_type: thirtyMinutes, count: 50 })
      for (const invitee of invitees.slice(0, 20)) await control('POST', '/cancel', { invitee })
      const report = await reconcile(service)
      t.match(report, {
        id: /^rec_/,
        kind: 'calendly',
        status: 'succeeded',
        trigger: 'request',
        requested_by: 'admin',
        to: null,
        checked: { events: 50, invitees: 50 },
        difference_counts: {
          missing_booking: { found: 50, repaired: 50 },
          missed_cancellation: { found: 20, repaired: 20 }
        },
        failure: null
      })
      const ours = await bookings(service)
      t.equal(ours.length, 50)
      t.equal(ours.filter(({ status }) => status === 'canceled').length, 20)
      t.ok(ours.every(({ source }) => source === 'reconciliation'))
      t.ok(report.differences.every(({ booking_id }: Body) => ours.some(({ id }) => id === booking_id)))

      const before = (await asked(service, 'GET', /\/invitees$/)).length
      const again = await reconcile(service)
      t.match(again, { status: 'succeeded', differences: [], checked: { events: 50, invitees: 0, calls: 2 } })
      t.same(again.difference_counts, {})
      t.equal((await asked(service, 'GET', /\/invitees$/)).length, before)
    })

    t.test('a reschedule is one of the same booking, and its time is free again', async (t) => {
      const { uri } = await person({ email: 'moving@example.com' })
      await reconcile(service)
      const [known] = await bookings(service, 'invitee_email=moving@example.com')
      const start_time = formatInstant(Date.parse(known.start_time) + 7 * dayMs)
      await control('POST', '/reschedule', { invitee: uri, start_time })
      t.match(await reconcile(service), { differences: [{ kind: 'missed_reschedule', repaired: true }] })
      t.match(await bookings(service, 'invitee_email=moving@example.com'), [
        { id: known.id, status: 'confirmed', start_time, reschedules: [{ to: start_time }] }
      ])
    })

    t.test('a seat of a group event that was missed, and one that was given up', async (t) => {
      const first = await person({ event_type: workshop, email: 'first@example.com' })
      await reconcile(service)
      const [{ start_time }] = await bookings(service, 'invitee_email=first@example.com')
      await person({ event_type: workshop, start_time, email: 'second@example.com' })
      await control('POST', '/cancel', { invitee: first.uri })
      const { difference_counts } = await reconcile(service)
      t.match(difference_counts, { missing_booking: { found: 1 }, missed_cancellation: { found: 1 } })
      t.match(await bookings(service, 'invitee_email=first@example.com'), [{ status: 'canceled' }])
      t.match(await bookings(service, 'invitee_email=second@example.com'), [
        { status: 'confirmed', start_time }
      ])
      t.same((await reconcile(service)).difference_counts, {})
    })

    t.test('are listed newest first, in pages', async (t) => {
      const { body } = await call('GET', `${path}?limit=2`)
      t.equal(body.data.length, 2)
      t.ok(body.data[0].id > body.data[1].id)
      const next = await call('GET', `${path}?limit=200&cursor=${body.next_cursor}`)
      t.ok(next.body.data[0].id < body.data[1].id)
      t.equal(next.body.next_cursor, null)
      t.match(await call('GET', `${path}?cursor=${body.next_cursor}x`), { body: { code: 'invalid_cursor' } })
    })

    t.test('are begun once for one idempotency key', async (t) => {
      const idempotencyKey = randomUUID()
      const [one, other] = [
        await request(service, {}, { idempotencyKey }),
        await request(service, {}, { idempotencyKey })
      ]
      t.equal(one.body.id, other.body.id)
      t.equal(other.headers['idempotent-replayed'], 'true')
    })

    t.test('are refused where they make no sense', async (t) => {
      const now = Date.now()
      for (const [fields, code, pointer] of [
        [{ kind: 'stripe', to: iso(now - 36 * dayMs) }, 'validation_failed', '/to'],
        [{ kind: 'other' }, 'validation_failed', '/kind'],
        [{ from: iso(now), to: iso(now - 1) }, 'validation_failed', '/to'],
        [{ from: iso(now), to: iso(now) }, 'validation_failed', '/to'],
        [{ to: iso(now - 2 * dayMs) }, 'validation_failed', '/to'],
        [{ from: '2026-01-01T00:00:00' }, 'local_time', '/from'],
        [{ from: iso(now - 733 * dayMs) }, 'range_too_long', undefined],
        [{ from: iso(now), to: iso(now + 733 * dayMs) }, 'range_too_long', undefined],
        [{ until: iso(now) }, 'validation_failed', undefined]
      ] as const) {
        const { status, body } = await request(service, fields)
        t.match({ status, code: body.code }, { status: 400, code }, JSON.stringify(fields))
        if (pointer) t.match(body.errors, [{ pointer }])
      }
      t.match(await request(service, { kind: 'stripe' }), {
        status: 503,
        body: { code: 'stripe_unavailable' }
      })
      t.match(await call('GET', `${path}/rec_unknown`), { status: 404, body: { code: 'not_found' } })
    })
  })

  t.test(`nobody has to ask (${engine})`, async (t) => {
    const service = await openService(t, { engine, webhooks: true })
    await untilSubscribed(service)
    const { body } = await until(
      () => service.call('GET', path),
      ({ body }) => body.data[0]?.status === 'succeeded'
    )
    t.match(body.data, [{ trigger: 'start', requested_by: null, difference_counts: {} }])
    t.equal(body.data.length, 1)
  })
}

t.test('without a Calendly key there is nothing to compare with', async (t) => {
  const service = await openService(t, { sandbox: null })
  t.match(await request(service), { status: 503, body: { code: 'calendly_unavailable' } })
})
