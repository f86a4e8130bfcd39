import type Stripe from 'stripe'
import t from 'tap'
import { until } from '../support/service.ts'
import { caught, openStripe } from './support/stripe.ts'

t.test('refunds add up, and never to more than was captured', async (t) => {
  const { stripe, pay } = await openStripe(t)
  const { charge } = await pay({ captured: 8_000 })
  const create = (params: Stripe.RefundCreateParams = {}) =>
    stripe.refunds.create({ charge: charge.id, ...params })
  t.match(await create({ amount: 2_500, reason: 'duplicate', metadata: { refund_id: 'rfd_1' } }), {
    ...{ object: 'refund', amount: 2_500, status: 'succeeded', charge: charge.id, currency: 'usd' },
    ...{ reason: 'duplicate', metadata: { refund_id: 'rfd_1' }, payment_intent: charge.payment_intent },
    ...{ failure_reason: undefined, destination_details: { type: 'card' } }
  })
  const tooMuch = await caught(create({ amount: 5_501 }))
  t.match(tooMuch, {
    ...{ statusCode: 400, type: 'StripeInvalidRequestError', param: 'amount', code: undefined },
    message: 'Refund amount ($55.01) is greater than unrefunded amount on charge ($55.00)'
  })
  t.match(await stripe.charges.retrieve(charge.id), { amount_refunded: 2_500, refunded: false })
  t.match(await create(), { amount: 5_500 }, 'without an amount, all that is left')
  t.match(await caught(create({ amount: 1 })), { code: 'charge_already_refunded', charge: charge.id })
  t.match(await stripe.charges.retrieve(charge.id), { amount_refunded: 8_000, refunded: true })
})

t.test('of 200 refunds at once as many are made as the charge allows', async (t) => {
  const { stripe, pay, journal } = await openStripe(t)
  const { charge } = await pay()
  const made = await Promise.all(
    Array.from({ length: 200 }, () => caught(stripe.refunds.create({ charge: charge.id, amount: 100 })))
  )
  t.equal(made.filter((error) => error === undefined).length, 100)
  t.equal(made.filter((error) => error?.code === 'charge_already_refunded').length, 100)
  t.match(await journal(), { charges: [{ captured: 10_000, refunded: 10_000, refunds: 100, counted: 100 }] })
})

t.test('what is not as documented is refused, parameter by parameter', async (t) => {
  const { stripe, pay } = await openStripe(t)
  const { charge } = await pay()
  const long = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`key ${index}`, 'x']))
  for (const [params, expected] of [
    [{ amount: 0 }, { param: 'amount', code: 'parameter_invalid_integer' }],
    [{ amount: -1 }, { param: 'amount', code: 'parameter_invalid_integer' }],
    [{ amount: 1.5 }, { param: 'amount', code: 'parameter_invalid_integer' }],
    [{ amount: 'all' }, { param: 'amount', code: 'parameter_invalid_integer' }],
    [{ reason: 'mood' }, { param: 'reason' }],
    [{ colour: 'red' }, { param: 'colour', code: 'parameter_unknown' }],
    [{ metadata: { a: 'x'.repeat(501) } }, { param: 'metadata[a]' }],
    [{ metadata: { ['a'.repeat(41)]: 'x' } }, { param: `metadata[${'a'.repeat(41)}]` }],
    [{ metadata: long }, { param: 'metadata' }],
    [{ charge: undefined }, { code: 'parameter_missing' }],
    [{ charge: 'ch_none' }, { statusCode: 404, code: 'resource_missing', param: 'charge' }],
    [
      { charge: undefined, payment_intent: 'pi_none' },
      { statusCode: 404, param: 'payment_intent' }
    ]
  ] as const)
    t.match(
      await caught(stripe.refunds.create({ charge: charge.id, ...params } as Stripe.RefundCreateParams)),
      { type: 'StripeInvalidRequestError', ...expected },
      JSON.stringify(params).slice(0, 60)
    )
  t.match((await stripe.refunds.list()).data, [])
  const most = Object.fromEntries(
    Array.from({ length: 50 }, (_, index) => [String(index).padStart(40), 'x'.repeat(500)])
  )
  t.same((await stripe.refunds.create({ charge: charge.id, metadata: most })).metadata, most)
})

t.test('nothing is refunded of what was not captured', async (t) => {
  const { stripe, pay } = await openStripe(t)
  for (const status of ['failed', 'requires_capture', 'processing']) {
    const { charge } = await pay({ status })
    t.match(
      await caught(stripe.refunds.create({ charge: charge.id })),
      { code: 'charge_not_refundable' },
      status
    )
  }
  const { payment_intent } = await pay({ status: 'requires_payment_method' })
  t.match(await caught(stripe.refunds.create({ payment_intent: payment_intent.id })), { statusCode: 400 })
})

t.test('amounts are of the currency: whole yen, thousandths of a dinar in tens, whole crowns', async (t) => {
  const { stripe, pay } = await openStripe(t)
  const refund = async (currency: string, amount: number) => {
    const { charge } = await pay({ currency })
    return caught(stripe.refunds.create({ charge: charge.id, amount }))
  }
  for (const [currency, good, bad] of [
    ['usd', 1, undefined],
    ['jpy', 1, undefined],
    ['kwd', 10, 15],
    ['tnd', 9_990, 9_999],
    ['isk', 100, 150],
    ['ugx', 200, 1]
  ] as const) {
    t.equal(await refund(currency, good), undefined, `${good} ${currency}`)
    if (bad) t.match(await refund(currency, bad), { statusCode: 400, param: 'amount' }, `${bad} ${currency}`)
  }
  t.match(await refund('jpy', 10_001), { message: /\(¥10,001\) is greater .* \(¥10,000\)$/ })
  t.match(await refund('kwd', 10_010), { message: /10\.010/ })
})

t.test('a refund becomes what its course says, when its time has come', async (t) => {
  const { stripe, control, pay, journal } = await openStripe(t)
  const { charge } = await pay()
  await control('/stripe/course', {
    ...{ status: 'pending', times: 1 },
    turns: [
      { status: 'succeeded', after_seconds: 60 },
      { status: 'failed', after_seconds: 86_400, failure_reason: 'expired_or_canceled_card' }
    ]
  })
  const { id } = await stripe.refunds.create({ charge: charge.id })
  t.match(await stripe.refunds.retrieve(id), { status: 'pending', pending_reason: 'processing' })
  t.match(await stripe.charges.retrieve(charge.id), { amount_refunded: 10_000 }, 'its amount is taken')
  await control('/clock', { advance_seconds: 60 })
  t.match(await stripe.refunds.retrieve(id), { status: 'succeeded', pending_reason: undefined })
  await control('/clock', { advance_seconds: 86_400 })
  t.match(await stripe.refunds.retrieve(id), {
    ...{ status: 'failed', failure_reason: 'expired_or_canceled_card', failure_balance_transaction: /^txn_/ }
  })
  t.match(await stripe.charges.retrieve(charge.id), { amount_refunded: 0, refunded: false }, 'and is free')
  t.match(await stripe.refunds.create({ charge: charge.id }), { amount: 10_000, status: 'succeeded' })
  const statuses = (await journal()).refunds[0].history.map(({ status }: { status: string }) => status)
  t.same(statuses, ['pending', 'succeeded', 'failed'])
})

t.test('a change comes by itself, too', async (t) => {
  const { stripe, control, pay, journal } = await openStripe(t)
  const { charge } = await pay()
  await control('/stripe/course', {
    ...{ status: 'pending', turns: [{ status: 'succeeded', after_seconds: 0.05 }] }
  })
  await stripe.refunds.create({ charge: charge.id })
  const { refunds } = await until(journal, ({ refunds }) => refunds[0].status === 'succeeded')
  t.equal(refunds[0].history.length, 2)
})

t.test('a refund that needs its recipient can be canceled, others cannot', async (t) => {
  const { stripe, control, pay } = await openStripe(t)
  const { charge } = await pay()
  const done = await stripe.refunds.create({ charge: charge.id, amount: 1 })
  t.match(await caught(stripe.refunds.cancel(done.id)), { statusCode: 400, message: /succeeded/ })
  await control('/stripe/course', {
    ...{ status: 'requires_action', turns: [{ status: 'succeeded', after_seconds: 60 }] }
  })
  const email = 'iris@example.com'
  const { id } = await stripe.refunds.create({ charge: charge.id, instructions_email: email })
  t.match(await stripe.refunds.retrieve(id), { status: 'requires_action', instructions_email: email })
  t.match(await stripe.refunds.cancel(id), { status: 'canceled', failure_reason: 'merchant_request' })
  await control('/clock', { advance_seconds: 60 })
  t.match(await stripe.refunds.retrieve(id), { status: 'canceled' }, 'for good')
  t.match(await stripe.charges.retrieve(charge.id), { amount_refunded: 1 })
})

t.test('the dashboard refunds, and turns refunds into what they are to be', async (t) => {
  const { stripe, control, pay, journal } = await openStripe(t)
  const { charge } = await pay()
  const { id } = await control('/stripe/refunds', { charge: charge.id, amount: 3_000 })
  t.match(await stripe.refunds.retrieve(id), { amount: 3_000, metadata: {} })
  await stripe.refunds.create({ charge: charge.id, amount: 10 }, { idempotencyKey: 'mine' })
  t.match((await journal()).refunds, [
    { id, made_by: 'dashboard', request: null, idempotency_key: null },
    { made_by: 'api', request: /^req_/, idempotency_key: 'mine' }
  ])
  await control(`/stripe/refunds/${id}`, { status: 'failed', failure_reason: 'declined' })
  t.match(await stripe.refunds.retrieve(id), { status: 'failed', failure_reason: 'declined' })
  t.match(await journal(), { charges: [{ refunded: 10, refunds: 2, counted: 1 }] })
})

t.test('a dispute stands in the way until it is won, an inquiry does not', async (t) => {
  const { stripe, control, pay } = await openStripe(t)
  const { charge } = await pay()
  const dispute = await control('/stripe/disputes', { charge: charge.id, reason: 'product_not_received' })
  const refused = { statusCode: 400, code: 'charge_disputed', charge: charge.id }
  t.match(await caught(stripe.refunds.create({ charge: charge.id })), refused)
  t.match((await stripe.disputes.list({ charge: charge.id })).data, [
    { id: dispute.id, status: 'needs_response', amount: 10_000, is_charge_refundable: false }
  ])
  t.match(await stripe.charges.retrieve(charge.id), { disputed: true })
  for (const status of ['under_review', 'lost']) {
    await control(`/stripe/disputes/${dispute.id}`, { status })
    t.match(await caught(stripe.refunds.create({ charge: charge.id })), refused, status)
  }
  await control(`/stripe/disputes/${dispute.id}`, { status: 'won' })
  t.match(await stripe.disputes.retrieve(dispute.id), { status: 'won' })
  t.match(await stripe.refunds.create({ charge: charge.id }), { status: 'succeeded' })

  const other = await pay()
  await control('/stripe/disputes', { charge: other.charge.id, status: 'warning_needs_response' })
  t.match(await stripe.refunds.create({ charge: other.charge.id }), { status: 'succeeded' })
  t.match(await caught(stripe.disputes.retrieve('du_none')), { statusCode: 404 })
})
