import t, { type Test } from 'tap'
import { until } from '../support/service.ts'
import { caught, openStripe } from './support/stripe.ts'

async function open(t: Test) {
  const opened = await openStripe(t)
  const { stripe, pay } = opened
  const { charge } = await pay()
  return {
    ...opened,
    charge: charge.id as string,
    create: (idempotencyKey: string, amount = 100) =>
      stripe.refunds.create({ charge: charge.id, amount }, { idempotencyKey }),
    made: async () => (await stripe.refunds.list({ charge: charge.id, limit: 100 })).data.length
  }
}

t.test('a key brings back the answer to its first request', async (t) => {
  const { create, made } = await open(t)
  const first = await create('one')
  t.equal(first.lastResponse.headers['idempotent-replayed'], undefined)
  const again = await create('one')
  t.same(again, first)
  t.equal(again.lastResponse.headers['idempotent-replayed'], 'true')
  t.equal(again.lastResponse.headers['original-request'], first.lastResponse.requestId)
  t.not(again.lastResponse.requestId, first.lastResponse.requestId)
  t.equal(await made(), 1)
})

t.test('a key is for the same parameters, in any order, of the same endpoint', async (t) => {
  const { create, raw, charge, made } = await open(t)
  await create('one')
  t.match(await caught(create('one', 200)), { type: 'StripeIdempotencyError', statusCode: 400 })
  const post = (path: string, body: string) => raw('POST', path, { 'idempotency-key': 'one' }, body)
  t.equal((await post('/v1/refunds', `amount=100&charge=${charge}`)).status, 200)
  t.equal((await post('/v1/refunds', `charge=${charge}&amount=100`)).status, 200)
  t.match((await post('/v1/refunds/re_1/cancel', '')).body.error, {
    ...{ type: 'idempotency_error', message: /same endpoint/ }
  })
  t.equal(await made(), 1)
})

t.test('accounts and modes have keys of their own', async (t) => {
  const { connect, pay, create, made } = await open(t)
  await create('one')
  const { charge } = await pay({ livemode: true })
  const live = connect('sk_live_sandbox')
  t.match(await live.refunds.create({ charge: charge.id, amount: 5 }, { idempotencyKey: 'one' }), {
    amount: 5
  })
  t.equal(await made(), 1)
})

t.test('a refusal is kept, what is not as documented is not', async (t) => {
  const { stripe, control, create, charge } = await open(t)
  const dispute = await control('/stripe/disputes', { charge })
  t.match(await caught(create('refused')), { code: 'charge_disputed' })
  await control(`/stripe/disputes/${dispute.id}`, { status: 'won' })
  const replayed = await caught(create('refused'))
  t.match(replayed, { code: 'charge_disputed', headers: { 'idempotent-replayed': 'true' } })

  t.match(await caught(create('malformed', 0)), { code: 'parameter_invalid_integer' })
  t.match(await create('malformed', 7), { amount: 7 })
  t.match(await caught(stripe.refunds.create({ charge }, { idempotencyKey: 'x'.repeat(256) })), {
    statusCode: 400
  })
})

t.test('a 500 is kept, whether or not the refund was made', async (t) => {
  const { create, control, strike, made } = await open(t)
  await control('/stripe/mishaps', { kind: 'saved_500', times: 1 })
  t.match(await caught(create('nothing')), { type: 'StripeAPIError', statusCode: 500 })
  t.match(await caught(create('nothing')), {
    ...{ statusCode: 500, headers: { 'idempotent-replayed': 'true', 'stripe-should-retry': 'false' } }
  })
  t.equal(await made(), 0)
  t.ok(await create('nothing-2'), 'another key may')

  await strike({ kind: 'status', status: 500, processed: true })
  for (let i = 0; i < 2; i++) t.match(await caught(create('done')), { statusCode: 500 })
  t.equal(await made(), 2)
})

t.test('a limit, a refused key and a fault before the request are not kept', async (t) => {
  const { create, strike, connect, charge, made } = await open(t)
  await strike({ kind: 'rate_limit', reset_seconds: 1 })
  t.match(await caught(create('one')), {
    ...{ type: 'StripeRateLimitError', statusCode: 429, code: 'rate_limit', headers: { 'retry-after': '1' } }
  })
  await strike({ kind: 'status', status: 503 })
  t.match(await caught(create('one')), { statusCode: 503, headers: { 'idempotency-key': undefined } })
  await strike({ kind: 'drop_before', times: 2 })
  t.match(await caught(create('one')), { type: 'StripeConnectionError' })
  const nobody = connect('sk_test_nobody').refunds
  t.match(await caught(nobody.create({ charge }, { idempotencyKey: 'one' })), { statusCode: 401 })
  t.equal(await made(), 0)
  t.ok(await create('one'))
  t.equal(await made(), 1)
})

t.test('while the first runs the second is a conflict', async (t) => {
  const { create, control, made } = await open(t)
  await control('/stripe/mishaps', { kind: 'slow', delay_ms: 400, times: 1 })
  const first = create('one')
  const conflict = await until(
    () => caught(create('one')),
    (error) => error !== undefined
  )
  t.match(conflict, { statusCode: 409, code: 'idempotency_key_in_use', rawType: 'idempotency_error' })
  const { id } = await first
  t.equal((await create('one')).id, id)
  t.equal(await made(), 1)
})

t.test('keys are kept for a day of the sandbox’s clock', async (t) => {
  const { create, control, made } = await open(t)
  const first = await create('one')
  await control('/clock', { advance_seconds: 86_000 })
  t.equal((await create('one')).id, first.id)
  await control('/clock', { advance_seconds: 401 })
  t.not((await create('one')).id, first.id)
  t.equal(await made(), 2)
})

t.test('a lost answer comes back with the key, by the library’s own retries too', async (t) => {
  const { connect, create, strike, charge, made } = await open(t)
  for (const kind of ['drop_after', 'reset_after', 'truncate']) {
    // The library itself asks again, once, where the connection was closed.
    await strike({ kind, times: kind === 'truncate' ? 1 : 2 })
    t.match(await caught(create(kind)), { type: 'StripeConnectionError' }, kind)
    t.match(await create(kind), { status: 'succeeded' })
  }
  t.equal(await made(), 3)
  await strike({ kind: 'reset_after', times: 2 })
  const stubborn = connect('sk_test_sandbox', { maxNetworkRetries: 2 })
  t.match(await stubborn.refunds.create({ charge, amount: 1 }), { amount: 1 })
  t.equal(await made(), 4)
})

t.test('of a hundred refunds whose answers are lost at random none is made twice', async (t) => {
  let seed = 7
  const random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed / 2 ** 31
  }
  const { raw, pay, strike, journal } = await openStripe(t, { random })
  const { charge } = await pay()
  for (const kind of ['drop_after', 'reset_after', 'truncate'])
    await strike({ kind, probability: 0.3, times: 1_000 })
  const create = (key: string) =>
    raw('POST', '/v1/refunds', { 'idempotency-key': key }, `charge=${charge.id}&amount=100`).then(
      ({ status }) => status === 200,
      () => false
    )
  let lost = 0
  for (let number = 0; number < 100; number++) {
    while (!(await create(`refund-${number}`))) lost += 1
  }
  t.ok(lost > 0)
  const { refunds } = await journal()
  t.equal(refunds.length, 100)
  t.equal(new Set(refunds.map((refund: { idempotency_key: string }) => refund.idempotency_key)).size, 100)
})
