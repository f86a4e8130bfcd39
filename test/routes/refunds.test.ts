import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { eventsOf } from '../support/events.ts'
import { moneyHolds } from '../support/money.ts'
import { type Answer, openService, until } from '../support/service.ts'
import { book, cancel, hourMs, read } from './support/client.ts'
import { openPaid, refundsOf, untilRefunds } from './support/paid.ts'

t.setTimeout(300_000)
type Body = Answer['body']

for (const engine of engines) {
  t.test(`refunds (${engine})`, async (t) => {
    const world = await openPaid(t, {
      engine,
      env: { BOOKING_ABSENCE_SECONDS: '0.2', SWEEP_INTERVAL_SECONDS: '0.1', RATE_LIMIT_PER_MINUTE: '0' }
    })
    const { service, stripe, system, paid, refund } = world
    const { call, control } = service
    const quote = (body: object) => call('POST', '/api/v1/refunds/quote', { body })
    const fault = (fields: object) =>
      control('POST', '/faults', { match: { method: 'POST', path: '/v1/refunds' }, ...fields })
    /** As Stripe has them. */
    const atStripe = async (charge: string): Promise<Body[]> =>
      (await stripe('GET', '/state')).refunds.filter((one: Body) => one.charge === charge)
    /** Time passes for everybody. */
    const pass = async (ms: number) => {
      system.moveTo(system.now() + ms)
      await stripe('GET', '/state')
    }
    const untilDone = (id: string) =>
      untilRefunds(service, id, (all) => all.length > 0 && all.every(({ status }) => status === 'succeeded'))
    const toldOf = async (id: string) => (await eventsOf(service, id)).map(({ type }) => type)
    t.afterEach(async () => {
      await control('DELETE', '/faults')
      await stripe('DELETE', '/mishaps')
      await stripe('POST', '/course', {})
    })

    t.test('a refund does what the quote says, and is told of, shown and added up', async (t) => {
      const { id, charge, booking } = await paid()
      const at = new Date(Date.parse(booking.start_time) - 13 * hourMs).toISOString()
      t.match(await quote({ booking_id: id, at }), {
        status: 200,
        body: {
          ...{ refundable: true, amount: 2_500, currency: 'usd', percent: 50, rule: 'notice_12h' },
          ...{ notice_hours: 13, policy: 'default', policy_version: 1, charged: 5_000, already_refunded: 0 }
        }
      })
      t.match(await quote({ booking_id: id, at, canceler_type: 'host' }), {
        body: { amount: 5_000, rule: 'host_cancel' }
      })
      const made = await refund(id, { amount: 1_999, reason: 'Half the time was lost' })
      t.match(made, {
        status: 201,
        headers: { location: `/api/v1/refunds/${made.body.id}` },
        body: {
          ...{ booking_id: id, charge, amount: 1_999, currency: 'usd', percent: null, rule: 'amount' },
          ...{
            status: 'succeeded',
            trigger: 'manual',
            reason: 'Half the time was lost',
            stripe_refund: /^re_/
          },
          history: [{ status: 'requested' }, { status: 'submitting' }, { status: 'succeeded' }]
        }
      })
      t.match(await atStripe(charge), [
        { amount: 1_999, metadata: { refund_id: made.body.id, booking_id: id } }
      ])
      t.same(await toldOf(made.body.id), ['refund.created', 'refund.succeeded'])
      const [, told] = await eventsOf(service, made.body.id)
      t.same(told?.data.refund, made.body)
      t.match((await read(service, id)).body.payment, { amount: 5_000, refunded_amount: 1_999 })
      t.match(await quote({ booking_id: id, at }), { body: { amount: 1_500, already_refunded: 1_999 } })
      t.same((await call('GET', `/api/v1/refunds/${made.body.id}`)).body, made.body)
      await moneyHolds(t, service)
    })

    t.test('without an amount it is what the policy says of now', async (t) => {
      const { id, booking } = await paid()
      const start = Date.parse(booking.start_time)
      system.moveTo(start - 13 * hourMs)
      const { amount } = (await quote({ booking_id: id })).body
      t.equal(amount, 2_500)
      t.match(await refund(id), { status: 201, body: { amount, percent: 50, rule: 'notice_12h' } })
      t.match(await refund(id, { canceler_type: 'host' }), { body: { amount: 2_500, rule: 'host_cancel' } })
      const nothing = { code: 'nothing_to_refund', detail: 'Nothing of its payment is left.' }
      t.match(await refund(id), { status: 422, body: nothing })
      await moneyHolds(t, service)
    })

    t.test('what cannot be refunded is refused, and nothing is taken', async (t) => {
      const { id, charge } = await paid()
      for (const [fields, status, code] of [
        [{ amount: 5_001 }, 422, 'refund_exceeds_charge'],
        [{ amount: 0 }, 400, 'validation_failed'],
        [{ amount: -1 }, 400, 'validation_failed'],
        [{ amount: 1.5 }, 400, 'validation_failed'],
        [{ amount: '5' }, 400, 'validation_failed'],
        [{ currency: 'eur' }, 400, 'validation_failed'],
        [{ canceler_type: 'nobody' }, 400, 'validation_failed']
      ] as const) {
        t.match(await refund(id, fields), { status, body: { code } }, JSON.stringify(fields))
      }
      t.match(await refund(id, { amount: 0 }), {
        body: { errors: [{ pointer: '#/amount', detail: 'must be an integer from 1 on, in minor units' }] }
      })
      t.match(await refund('bkg_unknown'), { status: 404, body: { code: 'booking_not_found' } })
      t.match(await call('POST', '/api/v1/refunds', { body: { booking_id: id } }), {
        body: { code: 'idempotency_key_required' }
      })
      const free = (await book(service)).body
      t.match(await refund(free.id), { status: 422, body: { code: 'not_refundable' } })
      const dinar = await paid({ currency: 'kwd' })
      t.match(await refund(dinar.id, { amount: 15 }), {
        status: 400,
        body: { errors: [{ pointer: '#/amount' }] }
      })
      t.match(await refund(dinar.id, { amount: 20 }), { status: 201 })
      await stripe('POST', '/disputes', { charge })
      t.match(await refund(id, { amount: 1 }), { status: 409, body: { code: 'charge_disputed' } })
      t.match(await quote({ booking_id: id }), { status: 200, body: { refundable: false } })
      t.same(await atStripe(charge), [])
      t.match(await call('GET', '/api/v1/refunds/rfd_none'), {
        status: 404,
        body: { code: 'refund_not_found' }
      })
      await moneyHolds(t, service)
    })

    t.test('a key has one effect, however often and at once it is sent', async (t) => {
      const { id, charge } = await paid()
      const send = (amount: number, idempotencyKey: string) =>
        call('POST', '/api/v1/refunds', { idempotencyKey, body: { booking_id: id, amount } })
      const key = randomUUID()
      const answers = await Promise.all(Array.from({ length: 10 }, () => send(700, key)))
      for (const { status, body } of answers) {
        if (status !== 201) t.match(body, { code: 'idempotency_in_progress' })
      }
      const [again] = [await send(700, key)]
      t.match(again, { status: 201, headers: { 'idempotent-replayed': 'true' } })
      t.match(await send(800, key), { status: 422, body: { code: 'idempotency_key_reused' } })
      t.equal((await atStripe(charge)).length, 1)
      await moneyHolds(t, service)
    })

    for (const [lost, fields] of [
      ['before it was done', { kind: 'drop_before', times: 2 }],
      ['after it was done', { kind: 'drop_after', times: 2 }],
      ['after half of it', { kind: 'truncate', times: 1 }],
      ['as a failure that Stripe keeps', { kind: 'status', status: 500, processed: true, times: 3 }],
      ['as a failure on the way', { kind: 'status', status: 502, times: 1 }],
      ['for want of a turn', { kind: 'rate_limit', reset_seconds: 0, times: 2 }]
    ] as const) {
      t.test(`an answer that is lost ${lost} leads to one refund`, async (t) => {
        const { id, charge } = await paid()
        await fault(fields)
        const made = await refund(id, { amount: 1_000 })
        t.equal(made.status, 201)
        const [done] = await untilDone(id)
        t.equal(done.id, made.body.id)
        t.match(await atStripe(charge), [{ amount: 1_000, metadata: { refund_id: done.id } }])
        t.equal((await atStripe(charge)).length, 1)
        t.same(await toldOf(done.id).then((types) => types.filter((type) => type === 'refund.succeeded')), [
          'refund.succeeded'
        ])
        await moneyHolds(t, service)
      })
    }

    t.test('a failure that Stripe keeps and did nothing for needs another key', async (t) => {
      const { id, charge } = await paid()
      await stripe('POST', '/mishaps', { kind: 'saved_500', times: 1 })
      t.match(await refund(id, { amount: 1_000 }), { status: 201, body: { status: 'unknown' } })
      await untilDone(id)
      t.equal((await atStripe(charge)).length, 1)
      await moneyHolds(t, service)
    })

    t.test('one whose answer was lost is taken further when somebody asks for it', async (t) => {
      const { id, charge } = await paid()
      await fault({ kind: 'drop_after', times: 1 })
      const made = await refund(id, { amount: 1_000 })
      t.match(made, { status: 201, body: { status: 'unknown', stripe_refund: null } })
      const retried = await call('POST', `/api/v1/refunds/${made.body.id}/retry`)
      t.match(retried, { status: 200, body: { id: made.body.id, status: 'succeeded', retry_of: null } })
      t.same((await toldOf(made.body.id)).slice(-1), ['refund.succeeded'])
      t.equal((await atStripe(charge)).length, 1)
      await moneyHolds(t, service)
    })

    t.test('a key of Stripe’s that is refused leaves the refund to be sent later', async (t) => {
      const { id, charge } = await paid()
      await fault({
        ...{ kind: 'status', status: 401, times: 1 },
        body: { error: { type: 'invalid_request_error', message: 'Invalid API Key' } }
      })
      const made = await refund(id, { amount: 1_000 })
      t.match(made, { status: 201, body: { status: 'requested', history: [{ status: 'requested' }] } })
      t.equal(made.body.history.length, 1)
      await untilDone(id)
      t.equal((await atStripe(charge)).length, 1)
      await moneyHolds(t, service)
    })

    t.test('what Stripe refuses fails, frees its amount and can be tried again as another', async (t) => {
      const { id, charge } = await paid()
      const refusal = {
        error: { type: 'invalid_request_error', code: 'insufficient_balance', message: 'No.' }
      }
      await fault({ kind: 'status', status: 400, body: refusal, times: 1 })
      const failed = await refund(id, { amount: 4_000 })
      t.match(failed, { status: 201, body: { status: 'failed', failure_reason: 'insufficient_balance' } })
      t.same(await toldOf(failed.body.id), ['refund.created', 'refund.failed'])
      const path = `/api/v1/refunds/${failed.body.id}`
      const again = await call('POST', `${path}/retry`)
      t.match(again, { status: 201, body: { status: 'succeeded', amount: 4_000, retry_of: failed.body.id } })
      t.not(again.body.id, failed.body.id)
      t.match(await call('POST', `${path}/retry`), { status: 201, body: { id: again.body.id } }, 'once')
      t.match(await call('GET', path), { body: { status: 'failed' } })
      t.match(await call('POST', `/api/v1/refunds/${again.body.id}/retry`), {
        status: 409,
        body: { code: 'refund_not_retryable' }
      })
      t.equal((await atStripe(charge)).length, 1)
      await moneyHolds(t, service)
    })

    t.test('what lost a race against the dashboard is tried again with what is left', async (t) => {
      const { id, charge } = await paid()
      const refusal = { error: { type: 'invalid_request_error', message: 'Greater than what is left.' } }
      await fault({ kind: 'status', status: 400, body: refusal, times: 1 })
      const failed = await refund(id, { canceler_type: 'host' })
      t.match(failed.body, { status: 'failed', amount: 5_000, percent: 100 })
      await stripe('POST', '/refunds', { charge, amount: 3_100 })
      const again = await call('POST', `/api/v1/refunds/${failed.body.id}/retry`)
      t.match(again, { status: 201, body: { status: 'succeeded', amount: 1_900, rule: 'host_cancel' } })
      await moneyHolds(t, service)
    })

    t.test('one that Stripe works at is followed to its end, and days later to another', async (t) => {
      const { id, charge } = await paid()
      await stripe('POST', '/course', {
        status: 'pending',
        turns: [
          { status: 'succeeded', after_seconds: 60 },
          { status: 'failed', after_seconds: 3 * 86_400, failure_reason: 'lost_or_stolen_card' }
        ]
      })
      const made = await refund(id, { amount: 5_000 })
      t.match(made.body, { status: 'pending' })
      t.match(await call('POST', `/api/v1/refunds/${made.body.id}/retry`), { status: 200 })
      await pass(60_000)
      await untilDone(id)
      t.match((await read(service, id)).body.payment, { refunded_amount: 5_000 })
      await pass(3 * 86_400_000)
      const [failed] = await untilRefunds(service, id, ([one]) => one?.status === 'failed')
      t.equal(failed.failure_reason, 'lost_or_stolen_card')
      t.same(await toldOf(failed.id), [
        'refund.created',
        'refund.updated',
        'refund.succeeded',
        'refund.failed'
      ])
      t.match((await read(service, id)).body.payment, { refunded_amount: 0 })
      await stripe('POST', '/course', {})
      t.match(await refund(id, { amount: 5_000 }), { status: 201 }, 'its amount is free')
      await untilRefunds(service, id, (all) => all.some(({ status }) => status === 'succeeded'))
      t.equal((await atStripe(charge)).length, 2)
      await moneyHolds(t, service)
    })

    t.test('they are listed newest first, by booking and status', async (t) => {
      const { id } = await paid()
      for (const amount of [1, 2, 3]) await refund(id, { amount })
      const list = async (query: string) =>
        (await call('GET', `/api/v1/refunds?booking_id=${id}&${query}`)).body
      const page = await list('limit=2')
      t.same(
        page.data.map(({ amount }: Body) => amount),
        [3, 2]
      )
      t.same(
        (await list(`limit=2&cursor=${page.next_cursor}`)).data.map(({ amount }: Body) => amount),
        [1]
      )
      t.same((await list('status=failed')).data, [])
      t.equal((await call('GET', '/api/v1/refunds?status=lost')).status, 400)
    })
  })

  t.test(`refunds that wait for approval (${engine})`, async (t) => {
    const world = await openPaid(t, { engine, env: { REFUND_MODE: 'approval' } })
    const { service, stripe, paid, refund } = world
    const { call } = service
    const made = async (amount: number) => {
      const { id } = await paid()
      return { booking: id, ...(await refund(id, { amount })).body }
    }

    t.test('one is approved, and only then Stripe hears of it', async (t) => {
      const waiting = await made(3_000)
      t.equal(waiting.status, 'awaiting_approval')
      t.same((await stripe('GET', '/state')).refunds, [])
      t.match(await refund(waiting.booking, { amount: 2_001 }), { body: { code: 'refund_exceeds_charge' } })
      const approved = await call('POST', `/api/v1/refunds/${waiting.id}/approve`)
      t.match(approved, { status: 200, body: { status: 'succeeded' } })
      t.match(await call('POST', `/api/v1/refunds/${waiting.id}/approve`), {
        status: 409,
        body: { code: 'refund_not_awaiting_approval' }
      })
      t.same(
        (await eventsOf(service, waiting.id)).map(({ type }) => type),
        ['refund.created', 'refund.requires_approval', 'refund.updated', 'refund.succeeded']
      )
      await moneyHolds(t, service)
    })

    t.test('one is not approved while its charge is disputed', async (t) => {
      const waiting = await made(3_000)
      const dispute = await stripe('POST', '/disputes', { charge: waiting.charge })
      const told = async () => (await eventsOf(service, waiting.charge)).map(({ type }) => type)
      await until(told, (types) => types.includes('charge.disputed'))
      t.match(await call('POST', `/api/v1/refunds/${waiting.id}/approve`), {
        status: 409,
        body: { code: 'charge_disputed' }
      })
      await stripe('POST', `/disputes/${dispute.id}`, { status: 'won' })
      const approved = await until(
        () => call('POST', `/api/v1/refunds/${waiting.id}/approve`),
        ({ status }) => status === 200
      )
      t.match(approved.body, { status: 'succeeded' })
      await moneyHolds(t, service)
    })

    t.test('one is rejected, and its amount is free', async (t) => {
      const waiting = await made(3_000)
      t.match(await call('POST', `/api/v1/refunds/${waiting.id}/reject`), { body: { status: 'rejected' } })
      t.match(await call('POST', `/api/v1/refunds/${waiting.id}/approve`), { status: 409 })
      t.match(await refund(waiting.booking, { amount: 5_000 }), { status: 201 })
      await moneyHolds(t, service)
    })

    t.test('what a cancellation is due waits as well', async (t) => {
      const { id } = await paid()
      const canceled = await cancel(service, id)
      t.match(canceled, {
        status: 200,
        body: { refund: { status: 'awaiting_approval', trigger: 'cancellation' } }
      })
      const [waiting] = await refundsOf(service, id)
      await call('POST', `/api/v1/refunds/${waiting.id}/approve`)
      await until(
        () => refundsOf(service, id),
        ([one]) => one?.status === 'succeeded'
      )
      await moneyHolds(t, service)
    })
  })
}

t.test('without a key of Stripe’s nothing can be refunded, and it is said', async (t) => {
  const service = await openService(t)
  const made = await book(service, { payment: { provider: 'stripe', payment_intent: 'pi_unread' } })
  t.equal(made.status, 201)
  const body = { booking_id: made.body.id }
  t.match(await service.call('POST', '/api/v1/refunds/quote', { body }), {
    body: { code: 'stripe_unavailable' }
  })
  t.match(await service.call('POST', '/api/v1/refunds', { idempotencyKey: 'x', body }), {
    status: 503,
    body: { code: 'stripe_unavailable' }
  })
})
