import t from 'tap'
import { until } from '../support/service.ts'
import { answering, charge, listOf, problem, type Reply, refund, saying } from './support/scripted.ts'

const nothing = problem(404, { code: 'resource_missing' })
const dispute = (status: string) => ({ id: `dp_${status}`, object: 'dispute', charge: 'ch_1', status })

/** Answers by path. */
const having =
  (replies: Record<string, Reply>) =>
  ({ path }: { path: string }) =>
    replies[path.replace(/\?.*/, '')] ?? nothing
const noDisputes = { '/v1/disputes': { body: listOf([]) } }

t.test('a charge is found by its own id and by that of its payment intent', async (t) => {
  const { payments, asked } = await answering(
    t,
    having({
      '/v1/charges/ch_1': { body: charge() },
      '/v1/payment_intents/pi_1': { body: { id: 'pi_1', livemode: false, latest_charge: charge() } },
      ...noDisputes
    })
  )
  const found = {
    id: 'ch_1',
    paymentIntent: 'pi_1',
    currency: 'usd',
    captured: 5_000,
    refunded: 0,
    release: undefined,
    isPaid: true,
    isPending: false,
    dispute: undefined,
    livemode: false
  }
  t.same(await payments.findCharge('ch_1'), found)
  t.same(await payments.findCharge('pi_1'), found)
  t.match(asked[2]?.path, /latest_charge/)
  t.match(asked[0]?.headers, { 'stripe-version': '2026-10-28.endive', authorization: /^Bearer rk_test_/ })
})

t.test('what counts as paid and captured is what was really taken', async (t) => {
  const cases = [
    [
      { amount_captured: 3_000, amount_refunded: 0 },
      { captured: 3_000, isPaid: true }
    ],
    [
      { amount_captured: 0, captured: false },
      { captured: 0, isPaid: true }
    ],
    [{ status: 'pending' }, { captured: 0, isPaid: false, isPending: true }],
    [
      { status: 'failed', paid: false },
      { captured: 0, isPaid: false }
    ],
    [
      { amount_refunded: 1_200, currency: 'JPY' },
      { refunded: 1_200, currency: 'jpy' }
    ],
    [{ payment_intent: null }, { paymentIntent: undefined }]
  ] as const
  for (const [changes, expected] of cases) {
    const { payments } = await answering(
      t,
      having({ '/v1/charges/ch_1': { body: charge(changes) }, ...noDisputes })
    )
    t.match(await payments.findCharge('ch_1'), expected)
  }
})

t.test('what was never captured was not given back, though Stripe counts it as refunded', async (t) => {
  const release = refund({ id: 're_release', amount: 2_000, metadata: {} })
  const others = [refund({ id: 're_later', amount: 2_000, metadata: {} }), refund({ amount: 500 })]
  const cases = [
    { captured: 3_000, counted: 2_000, made: [release], expected: { refunded: 0, release: 're_release' } },
    {
      ...{ captured: 3_000, counted: 4_500, made: [...others, release] },
      expected: { refunded: 2_500, release: 're_release' }
    },
    { captured: 3_000, counted: 500, made: [others[1]], expected: { refunded: 500, release: undefined } },
    {
      ...{ captured: 3_000, counted: 2_500, made: [others[0], others[1]] },
      expected: { refunded: 2_500, release: undefined }
    },
    {
      ...{ captured: 0, counted: 5_000, made: [{ ...release, amount: 5_000 }] },
      expected: { captured: 0, refunded: 0, release: 're_release' }
    }
  ]
  for (const { captured, counted, made, expected } of cases) {
    const body = charge({ amount_captured: captured, amount_refunded: counted })
    const { payments } = await answering(
      t,
      having({
        '/v1/charges/ch_1': { body },
        '/v1/refunds': { body: listOf(made as object[]) },
        ...noDisputes
      })
    )
    t.match(await payments.findCharge('ch_1'), expected)
  }
})

t.test('a dispute stands in the way unless it was won, withdrawn or prevented', async (t) => {
  const statuses = {
    needs_response: true,
    under_review: true,
    lost: true,
    warning_needs_response: true,
    warning_under_review: true,
    appeal_needs_response: true,
    appeal_under_review: true,
    something_new: true,
    won: false,
    warning_closed: false,
    prevented: false
  }
  for (const [status, stands] of Object.entries(statuses)) {
    const disputes = { '/v1/disputes': { body: listOf([dispute('won'), dispute(status)]) } }
    const { payments } = await answering(
      t,
      having({ '/v1/charges/ch_1': { body: charge({ disputed: true }) }, ...disputes })
    )
    const found = await payments.findCharge('ch_1')
    t.same(found?.dispute, stands ? { id: `dp_${status}`, status } : undefined, status)
  }
})

t.test('what this account does not have, or has in the other mode, is not there', async (t) => {
  const { payments, asked } = await answering(
    t,
    having({
      '/v1/charges/ch_live': { body: charge({ id: 'ch_live', livemode: true }) },
      '/v1/payment_intents/pi_unpaid': { body: { id: 'pi_unpaid', livemode: false, latest_charge: null } },
      '/v1/payment_intents/pi_live': { body: { id: 'pi_live', livemode: true, status: 'succeeded' } }
    })
  )
  for (const reference of ['ch_other', 'ch_live', 'pi_unpaid', 'py_other']) {
    t.equal(await payments.findCharge(reference), undefined, reference)
  }
  t.equal(await payments.findIntentStatus('pi_live'), undefined)
  t.equal(await payments.findIntentStatus('pi_other'), undefined)
  t.equal(await payments.findRefund('re_other'), undefined)
  const sofar = asked.length
  for (const odd of ['', 'ch_', 'cus_1', 'ch_1/../../v1/customers', 'ch_ä', 'pi_1?expand[]=x']) {
    t.equal(await payments.findCharge(odd), undefined, odd)
  }
  t.equal(asked.length, sofar, 'what cannot be an id is not asked for')
})

t.test('the status of an intent and a single refund are read', async (t) => {
  const { payments } = await answering(
    t,
    having({
      '/v1/payment_intents/pi_1': { body: { id: 'pi_1', livemode: false, status: 'requires_capture' } },
      '/v1/refunds/re_1': { body: refund({ status: 'failed', failure_reason: 'lost_or_stolen_card' }) }
    })
  )
  t.equal(await payments.findIntentStatus('pi_1'), 'requires_capture')
  t.match(await payments.findRefund('re_1'), { status: 'failed', failureReason: 'lost_or_stolen_card' })
})

t.test('all refunds of a charge are listed, page by page, oldest first', async (t) => {
  const all = Array.from({ length: 250 }, (_, index) =>
    refund({ id: `re_${250 - index}`, created: 250 - index })
  )
  const { payments, asked } = await answering(t, ({ path }) => {
    const query = new URLSearchParams(path.replace(/.*\?/, ''))
    const from = all.findIndex(({ id }) => id === query.get('starting_after')) + 1
    const until = from + Number(query.get('limit'))
    return { body: listOf(all.slice(from, until), until < all.length) }
  })
  const found = await payments.listRefunds('ch_1')
  t.equal(found.length, 250)
  t.same([found[0]?.id, found[249]?.id], ['re_1', 're_250'])
  t.equal(asked.length, 3)
  t.match(asked[0]?.path, /charge=ch_1/)
  await payments.listRefundsBetween(1_000_400, 2_000_600)
  t.match(decodeURIComponent(asked[3]?.path ?? ''), /created\[gte\]=1000&created\[lte\]=2000/)
})

t.test('a refund that is of no charge is left out', async (t) => {
  const { payments } = await answering(t, {
    body: listOf([refund({ charge: null }), refund({ id: 're_2' })])
  })
  t.match(await payments.listRefundsBetween(0, 1), [{ id: 're_2' }])
})

t.test('no list of a charge that Stripe does not know passes for an empty one', async (t) => {
  const { payments } = await answering(t, nothing)
  await t.rejects(payments.listRefunds('ch_1'), { code: 'stripe_unavailable' })
})

t.test('a page that ends nowhere ends', async (t) => {
  const { payments } = await answering(t, { body: listOf([], true) })
  t.same(await payments.listRefunds('ch_1'), [])
})

t.test('a read is tried three times, with growing waits', async (t) => {
  const { payments, asked, system } = await answering(t, [
    problem(500, { type: 'api_error' }),
    { status: 503, body: '<html>' },
    { body: refund() }
  ])
  t.match(await payments.findRefund('re_1'), { id: 're_1' })
  t.equal(asked.length, 3)
  t.same(system.slept, [50, 100])
})

t.test('after three failures Stripe is unavailable', async (t) => {
  const { payments, asked } = await answering(t, problem(500, { type: 'api_error' }))
  await t.rejects(payments.findCharge('ch_1'), { code: 'stripe_unavailable' })
  t.equal(asked.length, 3)
})

t.test('a wait that Stripe asks for comes first, and is passed on where it is too long', async (t) => {
  const { payments, system } = await answering(t, [
    problem(429, { code: 'rate_limit' }, { 'retry-after': '3' }),
    { body: refund() }
  ])
  t.match(await payments.findRefund('re_1'), { id: 're_1' })
  t.same(system.slept, [3_000])

  const busy = await answering(t, problem(429, { code: 'rate_limit' }, { 'retry-after': '60' }))
  await t.rejects(busy.payments.findRefund('re_1'), { code: 'stripe_unavailable', retryAfterMs: 60_000 })
  t.equal(busy.asked.length, 1)
})

t.test('what Stripe calls pointless is not tried again, what it refuses neither', async (t) => {
  const replies = {
    pointless: problem(500, { type: 'api_error' }, { 'stripe-should-retry': 'false' }),
    unauthenticated: problem(401, {}),
    forbidden: problem(403, {}),
    unknown: { status: 404, body: '<html>' }
  }
  for (const [name, reply] of Object.entries(replies)) {
    const { payments, asked } = await answering(t, reply)
    await t.rejects(payments.findCharge('ch_1'), { code: 'stripe_unavailable' }, name)
    t.equal(asked.length, 1, name)
  }
})

t.test('a connection that breaks is tried again', async (t) => {
  const { payments, asked } = await saying(t, '', (socket) => socket.resetAndDestroy())
  await t.rejects(payments.findCharge('ch_1'), { code: 'stripe_unavailable' })
  t.equal(asked.length, 3)
})

t.test('a Stripe that does not answer is given up', async (t) => {
  const { payments, asked } = await saying(t, '', () => {}, { deadlines: { totalMs: 200, attemptMs: 100 } })
  await t.rejects(payments.findCharge('ch_1'), { code: 'stripe_unavailable' })
  t.ok(asked.length > 0)
})

t.test('an answer that is too large is not read to its end', async (t) => {
  const { payments } = await answering(t, { body: `{"id":"re_1","x":"${'x'.repeat(6 * 1024 * 1024)}"}` })
  await t.rejects(payments.findRefund('re_1'), { code: 'stripe_unavailable' })
})

t.test('whoever asks the same while it is being read gets what is read after that', async (t) => {
  const held = Promise.withResolvers<Reply>()
  const { payments, asked } = await answering(t, () => held.promise)
  const reading = Array.from({ length: 20 }, () => payments.listRefunds('ch_1'))
  await until(
    async () => asked.length,
    (count) => count === 1
  )
  const later = Array.from({ length: 20 }, () => payments.listRefunds('ch_1'))
  held.resolve({ body: listOf([]) })
  await Promise.all([...reading, ...later])
  t.equal(asked.length, 2)
})

t.test('a base address may have a path', async (t) => {
  const { payments, asked } = await answering(t, { body: refund() }, { path: '/stripe' })
  await payments.findRefund('re_1')
  t.equal(asked[0]?.path, '/stripe/v1/refunds/re_1')
})

t.test('what is counted tells how Stripe is and what the key lacks', async (t) => {
  let reply: Reply = { body: refund() }
  const { payments } = await answering(t, () => reply)
  const status = () => payments.report().status
  t.match(payments.report(), {
    isConfigured: true,
    livemode: false,
    key: 'restricted',
    status: 'ok',
    calls: []
  })
  await payments.findRefund('re_1')
  t.match(payments.report().calls, [{ endpoint: 'refund', outcome: 'answered', count: 1 }])
  reply = problem(403, {})
  await t.rejects(payments.findRefund('re_1'))
  t.equal(status(), 'degraded')
  t.same(payments.report().refusals, [{ endpoint: 'refund', outcome: 'forbidden' }])
  reply = problem(401, {})
  await t.rejects(payments.listRefunds('ch_1'))
  t.equal(status(), 'down')
  reply = { body: refund() }
  await payments.findRefund('re_1')
  t.equal(status(), 'ok')
  reply = problem(500, {})
  await t.rejects(payments.findRefund('re_1'))
  t.equal(status(), 'down', 'after three failures in a row')
})

t.test('an error says what happened, and carries nothing of the answer along', async (t) => {
  const { payments } = await answering(
    t,
    problem(403, { message: 'The key rk_test_c4n4ry of ada@example.com may not.', charge: 'ch_secret' })
  )
  const error = await payments.findCharge('ch_1').catch((thrown: unknown) => thrown)
  const cause = error instanceof Error ? error.cause : undefined
  t.match(cause, { message: 'Stripe answered 403: invalid_request_error' })
  t.notMatch(JSON.stringify({ ...(cause as object), stack: (cause as Error).stack }), /c4n4ry|ada@|ch_secret/)
})
