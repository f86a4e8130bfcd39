import type Stripe from 'stripe'
import t, { type Test } from 'tap'
import { until } from '../support/service.ts'
import { openReceiver } from './support/receiver.ts'
import { openStripe } from './support/stripe.ts'

const secret = 'whsec_of_the_endpoint'

/** A Stripe that tells a receiver of everything. */
async function open(t: Test, { endpoint = {}, answer }: { endpoint?: object; answer?: () => number } = {}) {
  const opened = await openStripe(t)
  const { stripe, control } = opened
  const receiver = await openReceiver(t, answer)
  await control('/stripe/webhooks', { url: receiver.url, secret, ...endpoint })
  const eventsOf = () =>
    receiver.received.map(({ raw, headers }) =>
      stripe.webhooks.constructEvent(raw, String(headers['stripe-signature']), secret)
    )
  return {
    ...{ ...opened, receiver },
    /** What has come, verified, once it is that many. */
    come: async (count: number): Promise<Stripe.Event[]> => {
      await until(
        async () => receiver.received.length,
        (length) => length >= count
      )
      return eventsOf()
    },
    deliveries: async () => (await control('/stripe/deliveries', undefined, 'GET')).deliveries
  }
}

const typesOf = (events: readonly { type: string }[]) => events.map(({ type }) => type)

t.test('events are signed, and say what changed and who asked', async (t) => {
  const { stripe, pay, come, receiver } = await open(t)
  const { charge } = await pay()
  const params = { charge: charge.id, amount: 100, metadata: { refund_id: 'rfd_1' } }
  const refund = await stripe.refunds.create(params, { idempotencyKey: 'one' })
  const events = await come(2)
  const created = events.find(({ type }) => type === 'refund.created')
  t.match(created, {
    ...{ object: 'event', id: /^evt_/, api_version: '2026-10-28.endive', livemode: false },
    data: { object: { id: refund.id, status: 'succeeded', metadata: { refund_id: 'rfd_1' } } },
    request: { id: refund.lastResponse.requestId, idempotency_key: 'one' }
  })
  const refunded = events.find(({ type }) => type === 'charge.refunded')
  t.match(refunded?.data, {
    ...{ object: { id: charge.id, amount_refunded: 100 }, previous_attributes: { amount_refunded: 0 } }
  })
  t.match(receiver.received[0]?.headers, { 'user-agent': /Stripe/, 'content-type': /json/ })
  const [first] = receiver.received
  const signature = String(first?.headers['stripe-signature'])
  t.throws(() => stripe.webhooks.constructEvent(first?.raw ?? '', signature, 'whsec_other'))
  t.match(await stripe.events.retrieve(created?.id ?? ''), { type: 'refund.created' })
  t.match(typesOf((await stripe.events.list()).data), ['charge.refunded', 'refund.created'])
  t.match(typesOf((await stripe.events.list({ types: ['refund.created'] })).data), ['refund.created'])
  t.match(typesOf((await stripe.events.list({ type: 'charge.*' })).data), ['charge.refunded'])
})

t.test('a refund that fails is told in three ways, a dispute from its beginning to its end', async (t) => {
  const { stripe, pay, control } = await openStripe(t)
  const { charge } = await pay()
  await control('/stripe/course', {
    ...{ status: 'pending', times: 1, turns: [{ status: 'failed', after_seconds: 60 }] }
  })
  await stripe.refunds.create({ charge: charge.id, amount: 1 })
  await control('/clock', { advance_seconds: 60 })
  const told = async () => typesOf((await stripe.events.list({ limit: 100 })).data).reverse()
  t.same(await told(), [
    ...['refund.created', 'charge.refunded', 'refund.updated', 'charge.refund.updated', 'refund.failed']
  ])
  const { data } = await stripe.events.list({ type: 'refund.failed' })
  t.match(data[0]?.data, {
    object: { failure_reason: 'unknown' },
    previous_attributes: { status: 'pending' }
  })

  await control('/stripe/course', { status: 'failed', times: 1 })
  await stripe.refunds.create({ charge: charge.id, amount: 1 })
  t.same((await told()).slice(5), ['refund.created', 'refund.failed'])

  for (const [status, ends] of [
    ['won', ['charge.dispute.funds_reinstated', 'charge.dispute.closed']],
    ['lost', ['charge.dispute.closed']]
  ] as const) {
    const before = (await told()).length
    const { id } = await control('/stripe/disputes', { charge: charge.id })
    await control(`/stripe/disputes/${id}`, { status: 'under_review' })
    await control(`/stripe/disputes/${id}`, { status })
    const begins = ['created', 'funds_withdrawn', 'updated'].map((kind) => `charge.dispute.${kind}`)
    t.same((await told()).slice(before), [...begins, ...ends])
  }
})

t.test('what is withheld comes when released, twice and the last one first', async (t) => {
  const { stripe, control, pay, come, receiver } = await open(t)
  await control('/stripe/webhooks/mode', { withhold: true, duplicate: true, reorder: true })
  const { charge } = await pay()
  await stripe.refunds.create({ charge: charge.id })
  t.equal(receiver.received.length, 0)
  t.same(await control('/stripe/webhooks/release'), { released: 4 })
  t.same(typesOf(await come(4)), ['charge.refunded', 'charge.refunded', 'refund.created', 'refund.created'])
  t.equal(new Set(receiver.received.map(({ raw }) => raw)).size, 2, 'with the same bytes')
})

t.test('what is delayed waits for the sandbox’s clock', async (t) => {
  const { stripe, control, pay, come, deliveries } = await open(t)
  await control('/stripe/webhooks/mode', { delay_ms: 120_000 })
  const { charge } = await pay()
  await stripe.refunds.create({ charge: charge.id })
  t.match(await deliveries(), [{ state: 'waiting', next_attempt_at: String }, { state: 'waiting' }])
  await control('/clock', { advance_seconds: 120 })
  t.equal((await come(2)).length, 2)
})

t.test('what is not accepted comes again, signed anew, until it is', async (t) => {
  let failures = 2
  const { stripe, pay, come, deliveries } = await open(t, {
    endpoint: { events: ['refund.created'] },
    answer: () => (failures-- > 0 ? 500 : 200)
  })
  const { charge } = await pay()
  await stripe.refunds.create({ charge: charge.id })
  t.same(typesOf(await come(3)), ['refund.created', 'refund.created', 'refund.created'])
  const [delivery] = await until(deliveries, ([delivery]) => delivery.state === 'delivered')
  t.match(delivery.attempts, [
    { status: 500, signature: /^t=\d+,v1=/ },
    { status: 500 },
    { status: 200, error: null }
  ])
})

t.test('live and test events go to endpoints of their own, until they are taken away', async (t) => {
  const { connect, pay, control, come, deliveries } = await open(t, { endpoint: { livemode: true } })
  const [test, live] = [await pay(), await pay({ livemode: true })]
  await connect('sk_test_sandbox').refunds.create({ charge: test.charge.id })
  await connect('sk_live_sandbox').refunds.create({ charge: live.charge.id })
  t.match(await come(2), [{ livemode: true }, { livemode: true }])
  t.match(await control('/stripe/webhooks', undefined, 'GET'), { webhooks: [{ livemode: true, secret }] })
  await control('/stripe/webhooks', undefined, 'DELETE')
  await control('/stripe/disputes', { charge: live.charge.id })
  t.equal((await deliveries()).length, 2)
})
