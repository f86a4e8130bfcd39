import type Stripe from 'stripe'
import t from 'tap'
import { caught, openStripe } from './support/stripe.ts'

t.test('what was paid is read by charge and by intent', async (t) => {
  const { stripe, pay } = await openStripe(t)
  const { charge, payment_intent } = await pay({
    ...{ currency: 'eur', captured: 8_000, metadata: { order: '1' } }
  })
  t.match(await stripe.charges.retrieve(charge.id), {
    ...{ object: 'charge', amount: 10_000, amount_captured: 8_000, amount_refunded: 0, currency: 'eur' },
    ...{ captured: true, paid: true, refunded: false, disputed: false, livemode: false, status: 'succeeded' },
    ...{ metadata: { order: '1' }, payment_intent: payment_intent.id, refunds: undefined }
  })
  t.match(await stripe.paymentIntents.retrieve(payment_intent.id), {
    ...{ object: 'payment_intent', status: 'succeeded', latest_charge: charge.id, amount_received: 8_000 }
  })
  t.match(await caught(stripe.charges.retrieve('ch_none')), { statusCode: 404, code: 'resource_missing' })
  t.match(await caught(stripe.paymentIntents.retrieve('pi_none')), { statusCode: 404, param: 'intent' })
})

t.test('a payment may have failed, be held, be on its way or not be tried at all', async (t) => {
  const { stripe, pay, control } = await openStripe(t)
  for (const [status, expected] of [
    ['failed', { charge: { paid: false, status: 'failed', failure_code: 'card_declined' } }],
    ['requires_capture', { charge: { captured: false, amount_captured: 0, paid: true } }],
    ['processing', { charge: { paid: false, status: 'pending' } }],
    ['requires_payment_method', { charge: null, payment_intent: { latest_charge: null } }],
    ['canceled', { charge: null, payment_intent: { status: 'canceled' } }]
  ] as const)
    t.match(await pay({ status }), expected, status)

  const { charge, payment_intent } = await pay({ status: 'requires_capture' })
  await control('/stripe/capture', { charge: charge.id, amount: 7_000 })
  t.match(await stripe.charges.retrieve(charge.id), { captured: true, amount_captured: 7_000 })
  t.match(await stripe.paymentIntents.retrieve(payment_intent.id), { status: 'succeeded' })
})

t.test('ids become objects where that is asked for, up to four levels', async (t) => {
  const { stripe, pay } = await openStripe(t)
  const { charge, payment_intent } = await pay()
  const refund = await stripe.refunds.create({
    ...{ charge: charge.id, amount: 100, expand: ['charge.payment_intent', 'payment_intent'] }
  })
  t.match(refund, {
    charge: { id: charge.id, amount_refunded: 100, payment_intent: { id: payment_intent.id } },
    payment_intent: { id: payment_intent.id }
  })
  t.match(await stripe.charges.retrieve(charge.id, { expand: ['refunds.data.charge'] }), {
    refunds: { object: 'list', data: [{ id: refund.id, charge: { id: charge.id } }], has_more: false }
  })
  const path = 'latest_charge.refunds'
  t.match(await stripe.paymentIntents.retrieve(payment_intent.id, { expand: [path, 'customer'] }), {
    ...{ customer: null, latest_charge: { refunds: { data: [{ id: refund.id }] } } }
  })
  t.match((await stripe.refunds.list({ expand: ['data.charge'] })).data, [{ charge: { id: charge.id } }])
  for (const expand of ['colour', 'refunds.charge', 'payment_intent.latest_charge.payment_intent.x.y'])
    t.match(await caught(stripe.charges.retrieve(charge.id, { expand: [expand] })), {
      ...{ statusCode: 400, param: 'expand' }
    })
  const unexpandable = { charge: charge.id, expand: ['colour'] }
  t.match(await caught(stripe.refunds.create(unexpandable)), { param: 'expand' })
  t.equal((await stripe.refunds.list()).data.length, 1, 'and nothing was refunded')
})

t.test('lists come in pages, the newest first, forwards and back', async (t) => {
  const { stripe, pay } = await openStripe(t)
  const charges: string[] = []
  for (let i = 0; i < 5; i++) charges.unshift((await pay()).charge.id)
  const idsOf = ({ data, has_more }: { data: { id: string }[]; has_more: boolean }) => [
    data.map(({ id }) => id),
    has_more
  ]
  const [, second, third, fourth] = charges as [string, string, string, string, string]
  t.same(idsOf(await stripe.charges.list()), [charges, false])
  t.same(idsOf(await stripe.charges.list({ limit: 2 })), [charges.slice(0, 2), true])
  t.same(idsOf(await stripe.charges.list({ limit: 2, starting_after: second })), [[third, fourth], true])
  t.same(idsOf(await stripe.charges.list({ limit: 3, starting_after: third })), [charges.slice(3), false])
  t.same(idsOf(await stripe.charges.list({ limit: 2, ending_before: fourth })), [[second, third], true])
  const all = await stripe.charges.list({ limit: 2 }).autoPagingToArray({ limit: 100 })
  t.same(
    all.map(({ id }) => id),
    charges
  )
  for (const params of [{ limit: 0 }, { limit: 101 }, { starting_after: 'ch_none' }])
    t.match(await caught(stripe.charges.list(params)), { statusCode: 400, param: Object.keys(params)[0] })
})

t.test('lists are narrowed by charge, by intent and by time', async (t) => {
  const { stripe, pay, control } = await openStripe(t)
  const [one, other] = [await pay(), await pay()]
  const early = await stripe.refunds.create({ charge: one.charge.id, amount: 1 })
  await control('/clock', { advance_seconds: 3_600 })
  const late = await stripe.refunds.create({ payment_intent: other.payment_intent.id, amount: 2 })
  const found = async (params: Stripe.RefundListParams) =>
    (await stripe.refunds.list(params)).data.map(({ id }) => id)
  t.same(await found({ charge: one.charge.id }), [early.id])
  t.same(await found({ payment_intent: other.payment_intent.id }), [late.id])
  t.same(await found({ created: { gt: early.created } }), [late.id])
  t.same(await found({ created: { gte: early.created, lt: late.created } }), [early.id])
  t.same(await found({ created: late.created }), [late.id])
  t.same(await found({ created: { lte: early.created - 1 } }), [])
  t.match((await stripe.charges.list({ payment_intent: one.payment_intent.id })).data, [
    { id: one.charge.id }
  ])
  t.equal((await stripe.paymentIntents.list({ created: { gte: late.created } })).data.length, 0)
  t.equal((await stripe.paymentIntents.list()).data.length, 2)
})

t.test('keys see their own account in their own mode, and do what they may', async (t) => {
  const { stripe, connect, control, pay } = await openStripe(t)
  const { charge } = await pay()
  const live = await pay({ livemode: true })
  const foreign = await pay({ account: 'acct_other' })
  t.match(await caught(stripe.charges.retrieve(live.charge.id)), { statusCode: 404 })
  t.match(await caught(stripe.refunds.create({ charge: foreign.charge.id })), {
    ...{ statusCode: 404, code: 'resource_missing', param: 'charge' }
  })
  t.match(await connect('sk_live_sandbox').charges.retrieve(live.charge.id), { livemode: true })
  await control('/stripe/keys', { name: 'other', value: 'sk_test_other', account: 'acct_other' })
  t.match((await connect('sk_test_other').charges.list()).data, [{ id: foreign.charge.id }])
  t.match(await connect('sk_test_other').accounts.retrieveCurrent(), { id: 'acct_other' })

  const restricted = connect('rk_test_sandbox')
  t.match(await restricted.refunds.create({ charge: charge.id, amount: 1 }), { amount: 1 })
  t.match(await restricted.disputes.list(), { data: [] })
  const denied = await caught(restricted.events.list())
  t.match(denied, { type: 'StripePermissionError', statusCode: 403, message: /rak_event_read/ })
  const reader = { name: 'reader', value: 'rk_test_reader', permissions: ['charges_read'] }
  await control('/stripe/keys', reader)
  t.match(await connect(reader.value).refunds.list(), { data: [{ amount: 1 }] }, 'charges are refunds')
  t.match(await caught(connect(reader.value).refunds.create({ charge: charge.id })), { statusCode: 403 })

  t.match(await caught(connect('sk_test_nobody').charges.list()), { type: 'StripeAuthenticationError' })
  await control('/stripe/keys/revoke', { name: 'restricted' })
  t.match(await caught(restricted.charges.list()), { statusCode: 401 })
})

t.test('a key comes as a bearer or as the user of Basic', async (t) => {
  const { raw } = await openStripe(t)
  const basic = Buffer.from('sk_test_sandbox:').toString('base64')
  t.equal((await raw('GET', '/v1/charges', { authorization: `Basic ${basic}` })).status, 200)
  const nobody = await raw('GET', '/v1/charges', { authorization: '' })
  t.match(nobody, { status: 401, headers: { 'www-authenticate': /Basic/ } })
})

t.test('every answer names its request and speaks the version that was asked for', async (t) => {
  const { raw, stripe } = await openStripe(t)
  const { headers, body } = await raw('GET', '/v1/charges')
  t.match(headers, { 'request-id': /^req_/, 'stripe-version': '2026-10-28.endive' })
  t.match(body, { object: 'list', url: '/v1/charges', data: [], has_more: false })
  const { lastResponse } = await stripe.charges.list()
  t.equal(
    lastResponse.headers['stripe-version'],
    '2026-10-28.endive',
    'the library asks for that version too'
  )
  const old = await raw('GET', '/v1/charges', { 'stripe-version': '2019-02-11' })
  t.equal(old.headers['stripe-version'], '2019-02-11')
  t.equal((await raw('GET', '/v1/charges', { 'stripe-version': 'newest' })).status, 400)
})

t.test('what Stripe does not document is refused and kept', async (t) => {
  const { raw, control } = await openStripe(t)
  t.match(await raw('GET', '/v1/charges?colour=red'), {
    status: 400,
    body: {
      error: {
        ...{ type: 'invalid_request_error', code: 'parameter_unknown', param: 'colour' },
        ...{ doc_url: /parameter_unknown$/, request_log_url: /req_/ }
      }
    }
  })
  t.match(await raw('GET', '/v1/colours'), {
    status: 404,
    body: { error: { type: 'invalid_request_error' } }
  })
  const json = await raw('POST', '/v1/refunds', { 'content-type': 'application/json' }, '{}')
  t.equal(json.status, 415, 'Stripe takes forms')
  const { violations } = await control('/violations', undefined, 'GET')
  t.match(violations, [
    { method: 'GET', path: '/v1/charges', violation: /colour/ },
    { path: '/v1/colours', violation: /not a documented endpoint/ }
  ])
  const { requests } = await control('/requests', undefined, 'GET')
  t.match(requests[0], { path: '/v1/charges', token: 'secret', status: 400 })
})

t.test('the balance is what is left of it all', async (t) => {
  const { stripe, pay, control } = await openStripe(t)
  const { charge } = await pay()
  const disputed = await pay({ currency: 'eur' })
  await stripe.refunds.create({ charge: charge.id, amount: 2_500 })
  await control('/stripe/disputes', { charge: disputed.charge.id, amount: 4_000 })
  t.match((await stripe.balance.retrieve()).available, [
    { amount: 7_500, currency: 'usd' },
    { amount: 6_000, currency: 'eur' }
  ])
})

t.test('a reset of Stripe forgets its money and leaves Calendly alone', async (t) => {
  const { stripe, pay, control } = await openStripe(t)
  await control('/clock', { advance_seconds: 60 })
  const { now } = await control('/state', undefined, 'GET')
  await pay()
  await control('/stripe/keys', { name: 'secret', value: 'sk_test_changed' })
  await control('/stripe/reset')
  t.match(await stripe.charges.list(), { data: [] })
  t.ok((await control('/state', undefined, 'GET')).now >= now)
})
