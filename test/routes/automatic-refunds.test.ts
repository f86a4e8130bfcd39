import t from 'tap'
import { engines } from '../support/database.ts'
import { moneyHolds } from '../support/money.ts'
import { until } from '../support/service.ts'
import { book, cancel, eventTypes, freeTimes, read, untilApplied, untilStatus } from './support/client.ts'
import { openPaying, reasonsOf } from './support/paying.ts'

t.setTimeout(300_000)

for (const engine of engines) {
  t.test(`refunds of bookings that are canceled here (${engine})`, async (t) => {
    const world = await openPaying(t, engine)
    const { service, paid, refunded, untilRefunded } = world
    const { control } = service

    t.test('a cancellation answers with its refund, by the tier of who cancels', async (t) => {
      const { id, charge } = await paid(13)
      const { status, body } = await cancel(service, id)
      t.equal(status, 200)
      t.match(body.refund, {
        ...{ booking_id: id, amount: 2_500, currency: 'usd', percent: 50, rule: 'notice_12h' },
        trigger: 'cancellation'
      })
      await untilRefunded(id)
      t.same(await refunded(charge), [2_500])
      t.match((await read(service, id)).body.payment, {
        ...{ provider: 'stripe', charge, amount: 5_000, currency: 'usd', refunded_amount: 2_500 }
      })
      const again = await cancel(service, id, { canceler_type: 'host' })
      t.match(again, { status: 200, body: { refund: { id: body.refund.id } } })
      t.same(await refunded(charge), [2_500])
    })

    t.test('Calendly’s own word of it, which says “host”, may come before our answer', async (t) => {
      const { id, charge } = await paid(13)
      await world.lose('/scheduled_events/*/cancellation')
      await cancel(service, id)
      const booking = await untilStatus(service, id, 'canceled')
      t.equal(booking.cancellation.canceler_type, 'invitee')
      t.match(await untilRefunded(id), [{ rule: 'notice_12h' }])
      t.same(await refunded(charge), [2_500])
    })

    t.test('or never', async (t) => {
      await world.mode({ withhold: true })
      const { id, charge } = await paid(13)
      await world.lose('/scheduled_events/*/cancellation')
      await cancel(service, id)
      await untilStatus(service, id, 'canceled')
      await untilRefunded(id)
      await world.mode({})
      await control('POST', '/webhooks/release')
      await untilApplied(service)
      t.same(await refunded(charge), [2_500])
    })

    t.test('a group event that is given up refunds everybody in it', async (t) => {
      const event_type = eventTypes.workshop
      const [start_time] = await freeTimes(service, event_type)
      const seats: Awaited<ReturnType<typeof paid>>[] = []
      for (const name of ['Ada', 'Grace', 'Hedy']) {
        const person = { name, email: `${name}@example.com`, timezone: 'Europe/Berlin' }
        seats.push(await paid(48, { event_type, start_time, invitee: person }))
      }
      const [first, ...others] = seats
      const { status, body } = await cancel(service, first?.id ?? '', {
        ...{ scope: 'event', canceler_type: 'host', refund: { amount: 1_000 } }
      })
      t.match({ status, ...body }, { status: 200, refund: { amount: 1_000, rule: 'amount' } })
      for (const { id } of seats) await untilRefunded(id)
      t.same(await refunded(first?.charge), [1_000])
      for (const { charge } of others) t.same(await refunded(charge), [5_000])
    })

    t.test('with Stripe away it is 202, and refunded when Stripe is back', async (t) => {
      const { id, charge } = await paid(13)
      await world.away()
      const { status, body, headers } = await cancel(service, id)
      t.equal(status, 202)
      t.match(body, { booking: { status: 'canceled' }, refund: null })
      t.equal(headers.location, `/api/v1/bookings/${id}`)
      await world.back()
      await untilRefunded(id)
      t.same(await refunded(charge), [2_500])
      t.match(await cancel(service, id), { status: 200, body: { refund: { amount: 2_500 } } })
    })

    t.test('what is wanted of the money is done, whatever the policy says', async (t) => {
      const none = await paid(13)
      const declined = await cancel(service, none.id, { canceler_type: 'host', refund: 'none' })
      t.match(declined, { status: 200, body: { refund: null } })
      t.same(await reasonsOf(service, none.id), ['declined'])
      const full = await paid(1)
      t.match((await cancel(service, full.id, { refund: 'full' })).body.refund, {
        ...{ amount: 5_000, rule: 'full', percent: 100 }
      })
      const some = await paid(1)
      t.match((await cancel(service, some.id, { refund: { amount: 1_234 } })).body.refund, {
        ...{ amount: 1_234, rule: 'amount', percent: null }
      })
      for (const { id } of [full, some]) await untilRefunded(id)
      t.same(await Promise.all([none, full, some].map(({ charge }) => refunded(charge))), [
        [],
        [5_000],
        [1_234]
      ])
    })

    t.test('what cannot be had is refused before anything is canceled', async (t) => {
      const { id, charge } = await paid(1)
      const { body: unpaid } = await book(service)
      const refuses = async (refund: unknown, status: number, code: string, booking = id) => {
        t.match(await cancel(service, booking, { refund }), { status, body: { code } }, code)
        t.match((await read(service, booking)).body, { status: 'confirmed', change: null })
      }
      await refuses('full', 422, 'not_refundable', unpaid.id)
      await refuses({ amount: 1 }, 422, 'not_refundable', unpaid.id)
      await refuses({ amount: 5_001 }, 422, 'refund_exceeds_charge')
      await world.away()
      await refuses('full', 503, 'stripe_unavailable')
      await world.back()
      const dispute = await control('POST', '/stripe/disputes', { charge })
      await refuses('full', 409, 'charge_disputed')
      await control('POST', `/stripe/disputes/${dispute.id}`, { status: 'won' })
      await control('POST', '/stripe/refunds', { charge })
      await refuses('full', 422, 'nothing_to_refund')
      t.match(await cancel(service, id, { canceler_type: 'host' }), { status: 200, body: { refund: null } })
      t.same(await reasonsOf(service, id), ['nothing_left'])
    })

    t.test('a payment is checked before anything is booked', async (t) => {
      const { pay } = world
      for (const [payment_intent, words] of [
        ['pi_unheardof', /knows no such/],
        [(await pay(5_000, { status: 'requires_payment_method' })).intent, /requires_payment_method/],
        [(await pay(5_000, { status: 'canceled' })).intent, /canceled/],
        [(await pay(5_000, { livemode: true })).intent, /knows no such/]
      ]) {
        const answer = await book(service, { payment: { provider: 'stripe', payment_intent } })
        const errors = [{ pointer: '#/payment/payment_intent', detail: words }]
        t.match(answer, { status: 422, body: { code: 'payment_invalid', errors } })
      }
      const { intent, charge } = await pay()
      await world.away()
      const { status, body } = await book(service, {
        payment: { provider: 'stripe', payment_intent: intent }
      })
      await world.back()
      t.equal(status, 201)
      t.match(body.payment, { payment_intent: intent, charge: null, amount: null })
      await until(
        () => read(service, body.id),
        ({ body: { payment } }) => payment.charge === charge && payment.amount === 5_000
      )
    })

    t.test('every sum holds', (t) => moneyHolds(t, service))
  })

  t.test(`a refund that needs approval (${engine}) is what a cancellation answers with`, async (t) => {
    const { service, paid, refunded } = await openPaying(t, engine, { REFUND_MODE: 'approval' })
    const { id } = await paid()
    const { body } = await cancel(service, id)
    t.match(body.refund, { status: 'awaiting_approval', amount: 5_000 })
    t.same(await refunded(), [])
    await moneyHolds(t, service)
  })

  t.test(`without Stripe (${engine}) a cancellation says that nothing is refunded`, async (t) => {
    const { service } = await openPaying(t, engine, { STRIPE_SECRET_KEY: '' })
    const { body } = await book(service, { payment: { provider: 'stripe', payment_intent: 'pi_1' } })
    t.match(await cancel(service, body.id, { refund: 'full' }), {
      ...{ status: 503, body: { code: 'stripe_unavailable' } }
    })
    t.match(await cancel(service, body.id), { status: 200, body: { refund: null } })
    t.same(await reasonsOf(service, body.id), ['stripe_not_configured'])
  })
}
