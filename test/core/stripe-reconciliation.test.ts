import t from 'tap'
import { engines, openTestEngine } from '../support/database.ts'
import { worldOf } from './support/looking.ts'

const dayMs = 86_400_000

for (const kind of engines) {
  t.test(`comparing with Stripe, on ${kind}`, async (t) => {
    const engine = await openTestEngine(t, kind)

    t.test('finds what nobody told of, and a second time nothing', async (t) => {
      const world = await worldOf(engine)
      const { id } = await world.refund(60, 'submitting')
      world.stripe.refund('re_1', 60, 'pending', id)
      await world.look()
      world.stripe.become('re_1', 'succeeded')
      world.stripe.refund('re_2', 20, 'succeeded')
      world.stripe.refundOf('ch_of_a_shop', 're_3')
      await world.system.sleep(1_000)
      const report = await world.run(await world.queue())
      t.match(report, {
        status: 'succeeded',
        from: world.system.now() - 35 * dayMs,
        place: undefined,
        report: {
          checked: { charges: 1, refunds: 3, events: 0 },
          counts: { refund_differs: { found: 1, repaired: 1 }, missing_refund: { found: 1, repaired: 1 } },
          differences: [
            {
              kind: 'refund_differs',
              charge: 'ch_1',
              stripeRefund: 're_1',
              detail: 'From pending to succeeded.'
            },
            { kind: 'missing_refund', charge: 'ch_1', stripeRefund: 're_2', repaired: true }
          ]
        }
      })
      t.match(await world.read(), { reserved: 60, elsewhere: 20, refunded: 80 })
      t.match(await world.toldBy(), [
        'undefined',
        'undefined',
        'reconciliation',
        'reconciliation',
        'reconciliation'
      ])
      await world.system.sleep(1_000)
      t.match((await world.run(await world.queue())).report, { counts: {}, differences: [] })
      await world.holds(t)
    })

    t.test('looks at what is under way, however old', async (t) => {
      const world = await worldOf(engine)
      const { id } = await world.refund(60, 'submitting')
      world.stripe.refund('re_1', 60, 'succeeded', id)
      const { now } = world.system
      const { report } = await world.run(await world.queue({ from: now() + 1, to: now() + dayMs }))
      t.match(report.differences, [{ kind: 'refund_differs' }])
      t.match(await world.refunds(), [{ status: 'succeeded' }])
      await world.holds(t)
    })

    t.test('notices a dispute that nobody told of', async (t) => {
      const world = await worldOf(engine)
      world.stripe.charge.dispute = { id: 'dp_1', status: 'needs_response' }
      const { report } = await world.run(await world.queue())
      t.match(report.differences, [{ kind: 'charge_differs', charge: 'ch_1', repaired: true }])
      t.same(await world.events('ch_1'), ['charge.disputed'])
    })

    t.test('notices a refund that Stripe does not list any more', async (t) => {
      const world = await worldOf(engine)
      const { id } = await world.refund(60, 'submitting')
      world.stripe.refund('re_1', 60, 'succeeded', id)
      await world.look()
      world.stripe.refunds.length = 0
      await world.system.sleep(1_000)
      t.match((await world.run(await world.queue())).report.differences, [
        { kind: 'unknown_at_stripe', stripeRefund: 're_1', repaired: false }
      ])
      t.match(await world.refunds(), [{ status: 'succeeded' }])
    })

    t.test('is finished by somebody else, wherever it was cut off, and imports nothing twice', async (t) => {
      for (let commits = 0; ; commits++) {
        const world = await worldOf(engine)
        const { now } = world.system
        for (const daysAgo of [30, 20, 10, 1])
          world.stripe.refund(`re_${daysAgo}`, 10, 'succeeded', undefined, now() - daysAgo * dayMs)
        const queued = await world.queue()
        world.life.commitsLeft = commits
        const cutOff = await world.run(queued)
        if (cutOff.status === 'succeeded') break
        world.life.commitsLeft = Number.POSITIVE_INFINITY
        const { status, report } = await world.run(queued)
        t.equal(status, 'succeeded', `cut off after ${commits} commits`)
        t.same(report.counts, { missing_refund: { found: 4, repaired: 4 } })
        t.equal((await world.refunds()).length, 4)
        await world.holds(t)
      }
    })

    t.test('goes on where it was', async (t) => {
      const world = await worldOf(engine)
      const queued = await world.queue()
      world.life.commitsLeft = 3
      await world.run(queued)
      world.life.commitsLeft = Number.POSITIVE_INFINITY
      world.stripe.windows.length = 0
      await world.run(queued)
      t.equal(world.stripe.windows.length, 2, 'of five weeks three were done')
    })

    t.test('is given up by who has lost the lease', async (t) => {
      const world = await worldOf(engine)
      world.stripe.refund('re_1', 10, 'succeeded')
      const queued = await world.queue()
      const epoch = await world.takeLease()
      await world.takeLease()
      t.equal((await world.run(queued, epoch)).status, 'queued')
      t.same(await world.refunds(), [], 'and changes nothing')
    })

    t.test('waits while Stripe is away, and fails after a day of it', async (t) => {
      const world = await worldOf(engine)
      world.stripe.isAway = true
      const begunAt = world.system.now()
      t.match(await world.run(await world.queue()), {
        status: 'failed',
        failure: /Stripe has not answered for a day/
      })
      t.ok(world.system.now() - begunAt >= dayMs)
    })
  })
}
