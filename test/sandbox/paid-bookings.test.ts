import t, { type Test } from 'tap'
import { standard, standardSeed } from '../../src/sandbox/standard.ts'
import { until } from '../support/service.ts'
import { start } from './support/client.ts'
import { openReceiver } from './support/receiver.ts'
import { caught, openStripe } from './support/stripe.ts'

const { thirtyMinutes: event_type } = standard.eventTypes

async function open(t: Test) {
  const opened = await openStripe(t)
  const { control } = opened
  return {
    ...opened,
    book: async (payment?: object) =>
      (await control('/book', { event_type, ...(payment && { payment }) })).invitee
  }
}

t.test('who pays on Calendly’s page has a charge, as Calendly tells of it', async (t) => {
  const { stripe, book } = await open(t)
  t.equal((await book()).payment, null)
  const { payment } = await book({ amount: 1_050, currency: 'usd' })
  t.match(payment, {
    ...{ provider: 'stripe', amount: 10.5, currency: 'USD', successful: true, terms: null },
    external_id: /^ch_/
  })
  t.match(await stripe.charges.retrieve(payment.external_id), { amount: 1_050, paid: true })

  const text = (
    await book({ amount: 500, currency: 'jpy', amount_as: 'string', reference: 'payment_intent' })
  ).payment
  t.match(text, { amount: '500', currency: 'JPY', external_id: /^pi_/ })
  t.match(await stripe.paymentIntents.retrieve(text.external_id), { amount: 500, currency: 'jpy' })
  t.match((await book({ amount: 12_340, currency: 'kwd' })).payment, { amount: 12.34 })
})

t.test('what was paid may be of PayPal, of another account or mode, or have failed', async (t) => {
  const { stripe, connect, book } = await open(t)
  t.match((await book({ amount: 500, provider: 'paypal' })).payment, { provider: 'paypal' })
  const failed = (await book({ amount: 500, successful: false })).payment
  t.match(failed, { successful: false })
  t.match(await stripe.charges.retrieve(failed.external_id), { paid: false })
  const live = (await book({ amount: 500, livemode: true })).payment
  t.match(await caught(stripe.charges.retrieve(live.external_id)), { statusCode: 404 })
  t.match(await connect('sk_live_sandbox').charges.retrieve(live.external_id), { amount: 500 })
  const [one, other] = [
    await book({ amount: 500, foreign: true }),
    await book({ amount: 500, foreign: true })
  ]
  t.not(one.payment.external_id, other.payment.external_id)
  t.match(await caught(stripe.charges.retrieve(one.payment.external_id)), { statusCode: 404 })
})

t.test('nobody is charged for a time that is gone', async (t) => {
  const { control, stripe } = await open(t)
  const { event } = await control('/book', { event_type, payment: { amount: 500 } })
  const again = { event_type, start_time: event.start_time, payment: { amount: 500 } }
  await t.rejects(control('/book', again), /already_filled/)
  t.equal((await stripe.charges.list()).data.length, 1)
})

t.test('a paid event type says so, and whoever books it on the page pays', async (t) => {
  const paid = { ...standardSeed, event_types: standardSeed.event_types.map(withPrice) }
  const { get, control } = await start(t, { seed: paid })
  const { body } = await get<{ resource: { is_paid: boolean } }>(new URL(event_type).pathname)
  t.ok(body.resource.is_paid)
  const { invitee } = await control<{ invitee: { payment: object } }>('/book', { event_type })
  t.match(invitee.payment, { amount: 50, currency: 'USD', successful: true })
})

const withPrice = <E extends { id: string }>(eventType: E) => ({
  ...eventType,
  is_paid: event_type.endsWith(eventType.id)
})

t.test('the payment is in webhooks and in what is read, after a cancellation too', async (t) => {
  const { get, post, control } = await start(t)
  const { received, url } = await openReceiver(t)
  await post('/webhook_subscriptions', {
    ...{ url, events: ['invitee.created', 'invitee.canceled'], scope: 'organization' },
    organization: standard.organization
  })
  type Body = { invitee: { uri: string; payment: { external_id: string } } }
  const { invitee } = await control<Body>('/book', { event_type, payment: { amount: 500 } })
  const { body } = await get<{ resource: Body['invitee'] }>(new URL(invitee.uri).pathname)
  t.same(body.resource.payment, invitee.payment)
  await control('/cancel', { invitee: invitee.uri })
  await until(
    async () => received.length,
    (count) => count === 2
  )
  for (const { body } of received) t.match(body.payload, { payment: invitee.payment }, body.event)
})

t.test('whoever reschedules has no payment on the new booking, or a copy, as it is told', async (t) => {
  const { book, control } = await open(t)
  const [one, other] = [await book({ amount: 500 }), await book({ amount: 700 })]
  const start_time = '2030-01-07T10:00:00Z'
  const none = await control('/reschedule', { invitee: one.uri, start_time })
  t.match(none.invitee, { old_invitee: one.uri, payment: null })
  const copied = { invitee: other.uri, start_time: '2030-01-08T10:00:00Z', payment: 'copied' }
  t.match((await control('/reschedule', copied)).invitee, { payment: other.payment })
})
