import t from 'tap'
import { engines } from '../support/database.ts'
import { eventsOf } from '../support/events.ts'
import { moneyHolds } from '../support/money.ts'
import { until } from '../support/service.ts'
import { dayMs, read, timelineOf } from './support/client.ts'
import { openPaid, refundsOf, untilRefunds } from './support/paid.ts'

t.setTimeout(300_000)

for (const engine of engines) {
  t.test(`what happens in Stripe itself (${engine})`, async (t) => {
    const world = await openPaid(t, { engine })
    const { service, stripe, system, paid, refund, compare } = world
    const toldOf = async (subject: string) => (await eventsOf(service, subject)).map(({ type }) => type)
    const hush = (mode: object) => stripe('POST', '/webhooks/mode', mode)

    t.test('a refund in the dashboard is imported once, told twice and in the wrong order', async (t) => {
      const { id, charge } = await paid()
      await hush({ duplicate: true, reorder: true })
      const made = await stripe('POST', '/refunds', { charge, amount: 2_000 })
      const [imported] = await untilRefunds(service, id, ({ length }) => length > 0)
      t.match(imported, {
        ...{ trigger: 'external', status: 'succeeded', amount: 2_000, currency: 'usd' },
        ...{ stripe_refund: made.id, percent: null, rule: null, policy: null }
      })
      await hush({})
      await moneyHolds(t, service)
      t.same(await refundsOf(service, id), [imported])
      t.same(await toldOf(imported.id), ['refund.created', 'refund.succeeded'])
      t.match((await read(service, id)).body.payment, { amount: 5_000, refunded_amount: 2_000 })
      t.match(await refund(id, { amount: 3_001 }), { status: 422, body: { code: 'refund_exceeds_charge' } })
      t.equal((await refund(id, { amount: 3_000 })).status, 201)
      await moneyHolds(t, service)
    })

    t.test('what was withheld is found by a comparison, and told of as such', async (t) => {
      const { id, charge } = await paid()
      await hush({ withhold: true })
      const made = await stripe('POST', '/refunds', { charge, amount: 1_500 })
      const report = await compare()
      t.match(report, {
        ...{ kind: 'stripe', status: 'succeeded', trigger: 'request', failure: null },
        difference_counts: { missing_refund: { found: 1, repaired: 1 } },
        differences: [
          { kind: 'missing_refund', booking_id: id, charge, stripe_refund: made.id, repaired: true }
        ]
      })
      t.ok(report.checked.refunds >= 1 && report.checked.charges >= 1 && report.checked.calls >= 6)
      const [imported] = await refundsOf(service, id)
      const told = await eventsOf(service, imported.id)
      t.match(told, [{ source: 'reconciliation' }, { source: 'reconciliation' }])
      t.same((await compare()).difference_counts, {})
      await stripe('POST', '/webhooks/release')
      await hush({})
      await moneyHolds(t, service)
      t.equal((await refundsOf(service, id)).length, 1, 'and what arrives late is no news')
    })

    t.test('and so is a dispute', async (t) => {
      const { id, charge } = await paid()
      await hush({ withhold: true })
      await stripe('POST', '/disputes', { charge })
      const { differences } = await compare()
      t.match(differences, [{ kind: 'charge_differs', booking_id: id, charge, repaired: true }])
      t.same(await toldOf(charge), ['charge.disputed'])
      await hush({})
      await moneyHolds(t, service)
    })

    t.test('a refund that is pending for a while, and fails', async (t) => {
      const { id } = await paid()
      await stripe('POST', '/course', { status: 'pending', times: 1 })
      const { body } = await refund(id, { amount: 4_000 })
      t.equal(body.status, 'pending')
      await stripe('POST', `/refunds/${body.stripe_refund}`, {
        status: 'failed',
        failure_reason: 'expired_or_canceled_card'
      })
      const [failed] = await untilRefunds(service, id, ([one]) => one.status === 'failed')
      t.match(failed, { failure_reason: 'expired_or_canceled_card' })
      t.same(await toldOf(body.id), ['refund.created', 'refund.updated', 'refund.failed'])
      t.equal((await refund(id, { amount: 5_000 })).status, 201, 'its amount can be refunded again')
      await moneyHolds(t, service)
    })

    t.test('a refund that a bank sends back days later', async (t) => {
      const { id } = await paid()
      const { body } = await refund(id, { amount: 5_000 })
      t.equal(body.status, 'succeeded')
      t.match((await read(service, id)).body.payment, { refunded_amount: 5_000 })
      system.moveTo(system.now() + 4 * dayMs)
      await stripe('POST', `/refunds/${body.stripe_refund}`, { status: 'failed' })
      await untilRefunds(service, id, ([one]) => one.status === 'failed')
      t.match((await read(service, id)).body.payment, { refunded_amount: 0 })
      t.same(await toldOf(body.id), ['refund.created', 'refund.succeeded', 'refund.failed'])
      await moneyHolds(t, service)
    })

    for (const [outcome, status] of [
      ['won', 201],
      ['lost', 409]
    ] as const) {
      t.test(`a dispute that is ${outcome}`, async (t) => {
        const { id, charge } = await paid()
        await hush({ duplicate: true })
        const dispute = await stripe('POST', '/disputes', { charge })
        await until(
          () => toldOf(charge),
          ({ length }) => length > 0
        )
        const disputed = { status: 409, body: { code: 'charge_disputed' } }
        t.match(await refund(id, { amount: 100 }), disputed)
        await stripe('POST', `/disputes/${dispute.id}`, { status: outcome })
        await hush({})
        if (outcome === 'won') {
          await until(
            () => timelineOf(service, id),
            (types) => types.includes('dispute_closed')
          )
        }
        t.equal((await refund(id, { amount: 100 })).status, status)
        t.same(await toldOf(charge), ['charge.disputed'])
        await moneyHolds(t, service)
      })
    }

    t.test('of a part that was captured no more than that is refunded, until more is captured', async (t) => {
      const { id, charge, booking } = await paid({ captured: 3_000 })
      t.match(booking.payment, { amount: 3_000 })
      t.match(await refund(id, { amount: 3_001 }), { status: 422, body: { code: 'refund_exceeds_charge' } })
      t.equal((await refund(id, { amount: 3_000 })).status, 201)
      await stripe('POST', '/capture', { charge, amount: 5_000 })
      t.equal((await refund(id, { amount: 2_000 })).status, 201)
      await moneyHolds(t, service)
    })
  })
}
