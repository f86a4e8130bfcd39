import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { moneyHolds } from '../support/money.ts'
import { until } from '../support/service.ts'
import { cancel, freeTimes, hourMs, read, untilApplied, untilStatus } from './support/client.ts'
import { openPaying, reasonsOf, refundsOf } from './support/paying.ts'

t.setTimeout(300_000)

for (const engine of engines) {
  t.test(`refunds of what happens on Calendly’s page (${engine})`, async (t) => {
    const world = await openPaying(t, engine)
    const { service, system, paid, paidOnPage, refunded, untilRefunded, inviteeOf } = world
    const { call, control } = service

    for (const [by, amount, payment] of [
      ['invitee', 2_500, {}],
      ['invitee', 2_500, { reference: 'payment_intent', amount_as: 'string' }],
      ['host', 5_000, {}]
    ] as const) {
      t.test(`what was paid there and canceled there by the ${by} is refunded`, async (t) => {
        const { id, charge } = await paidOnPage(13, payment)
        await until(
          () => read(service, id),
          ({ body }) => body.payment.charge === charge && body.payment.amount === 5_000
        )
        await control('POST', '/cancel', { invitee: await inviteeOf(id), by })
        await untilRefunded(id)
        t.same(await refunded(charge), [amount])
      })
    }

    for (const [reason, payment] of [
      ['paypal', { provider: 'paypal' }],
      ['payment_unsuccessful', { successful: false }],
      ['charge_unknown', { foreign: true }]
    ] as const) {
      t.test(`of a payment that is ${reason} nothing is refunded`, async (t) => {
        const { id } = await paidOnPage(48, payment)
        await control('POST', '/cancel', { invitee: await inviteeOf(id), by: 'host' })
        await untilStatus(service, id, 'canceled')
        await until(
          () => reasonsOf(service, id),
          (reasons) => reasons.length > 0
        )
        t.same(await reasonsOf(service, id), [reason])
        t.same(await refundsOf(service, id), [])
      })
    }

    t.test('told 20 hours late it is refunded by the notice it was given with', async (t) => {
      const { id, charge } = await paid(25)
      await world.mode({ withhold: true })
      await control('POST', '/cancel', { invitee: await inviteeOf(id) })
      system.moveTo(system.now() + 20 * hourMs)
      await world.mode({})
      await control('POST', '/webhooks/release')
      t.match(await untilRefunded(id), [{ amount: 5_000, rule: 'notice_24h' }])
      t.same(await refunded(charge), [5_000])
    })

    t.test('twenty that move, in both orders, are refunded once each and never for that', async (t) => {
      const before = (await refunded()).length
      const booked: Awaited<ReturnType<typeof paidOnPage>>[] = []
      for (let number = 0; number < 20; number++) {
        const start_time = (await freeTimes(service))[number * 3]
        // Half of them paid on the page, which is a start of its own.
        booked.push(await (number % 2 === 0 ? paidOnPage(1_000) : paid(1_000, { start_time })))
      }
      for (const [number, { id }] of booked.entries()) {
        await world.mode(number % 4 < 2 ? {} : { reorder: true, delay_ms: 20 })
        const start_time = (await freeTimes(service)).at(-1 - number)
        if (number % 5 === 0) {
          const body = { idempotencyKey: randomUUID(), body: { start_time } }
          t.equal((await call('POST', `/api/v1/bookings/${id}/reschedule`, body)).status, 200)
          continue
        }
        const payment = number % 3 === 0 ? 'copied' : 'none'
        await control('POST', '/reschedule', { invitee: await inviteeOf(id), start_time, payment })
        await until(
          () => read(service, id),
          ({ body }) => body.start_time === start_time
        )
      }
      await untilApplied(service)
      t.equal((await refunded()).length, before)
      await world.mode({})
      for (const { id } of booked) t.equal((await cancel(service, id)).status, 200)
      for (const { id } of booked) await untilRefunded(id)
      const all = await Promise.all(booked.map(({ charge }) => refunded(charge)))
      t.same(all, Array(20).fill([5_000]))
    })

    t.test('every sum holds', (t) => moneyHolds(t, service))
  })
}
