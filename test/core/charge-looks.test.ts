import { sql } from 'kysely'
import t from 'tap'
import { nextLookMs } from '../../src/core/look-schedule.ts'
import { applyStripeRefund } from '../../src/core/refund-recording.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { worldOf } from './support/looking.ts'

const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000]

for (const kind of engines) {
  t.test(`a look at Stripe, on ${kind}`, async (t) => {
    const engine = await openTestEngine(t, kind)

    t.test('imports what was refunded in Stripe itself, once', async (t) => {
      const world = await worldOf(engine)
      world.stripe.refund('re_1', 30, 'succeeded')
      t.match(await world.look(), {
        outcome: 'changed',
        changes: [{ kind: 'missing_refund', stripeRefund: 're_1', repaired: true }]
      })
      const [refund] = await world.refunds()
      t.match(refund, { trigger: 'external', status: 'succeeded', amount: 30, stripeRefund: 're_1' })
      t.match(await world.read(), { elsewhere: 30, reserved: 0, refunded: 30 })
      t.equal((await world.booking())?.payment?.charge?.refundedAmount, 30)
      t.same(await world.timeline(), ['refund_imported'])
      t.same(await world.look(), { outcome: 'unchanged', changes: [] })
      t.same(await world.events(refund?.id ?? ''), ['refund.created', 'refund.succeeded'])
      t.same(await world.refunds(), [refund])
      await world.holds(t)
    })

    t.test('of several at once imports it once', async (t) => {
      const world = await worldOf(engine)
      world.stripe.refund('re_1', 30, 'pending')
      const outcomes = await Promise.all([world.look(), world.look(), world.look()])
      t.equal(outcomes.filter(({ outcome }) => outcome === 'changed').length, 1)
      t.equal((await world.refunds()).length, 1)
      world.stripe.become('re_1', 'succeeded')
      await world.look()
      t.match(await world.refunds(), [{ status: 'succeeded' }])
      await world.holds(t)
    })

    t.test('brings ours forward, and what failed frees its amount', async (t) => {
      const world = await worldOf(engine)
      const { id } = await world.refund(60, 'submitting')
      world.stripe.refund('re_1', 60, 'pending', id)
      await world.look()
      t.match(await world.refunds(), [{ id, status: 'pending', stripeRefund: 're_1' }])
      t.equal((await world.read()).reserved, 60)
      world.stripe.become('re_1', 'failed', 'expired_or_canceled_card')
      await world.look()
      t.match(await world.refunds(), [{ status: 'failed', failureReason: 'expired_or_canceled_card' }])
      t.match(await world.read(), { reserved: 0, refunded: 0 })
      t.same(await world.events(id), ['refund.created', 'refund.updated', 'refund.failed'])
      await world.holds(t)
    })

    t.test('notices that a bank sent a refund back, ours or another', async (t) => {
      const world = await worldOf(engine)
      const { id } = await world.refund(60, 'submitting')
      world.stripe.refund('re_1', 60, 'succeeded', id)
      world.stripe.refund('re_2', 10, 'succeeded')
      await world.look()
      t.equal((await world.booking())?.payment?.charge?.refundedAmount, 70)
      await world.system.sleep(4 * dayMs)
      world.stripe.become('re_1', 'failed', 'lost_or_stolen_card')
      world.stripe.become('re_2', 'failed')
      await world.look()
      t.match(await world.read(), { reserved: 0, elsewhere: 0, refunded: 0 })
      t.equal((await world.booking())?.payment?.charge?.refundedAmount, 0)
      t.same(await world.events(id), ['refund.created', 'refund.succeeded', 'refund.failed'])
      t.ok(await world.refund(100), 'all of it can be refunded again')
      await world.holds(t)
    })

    t.test('adopts one whose answer was lost', async (t) => {
      const world = await worldOf(engine)
      const { id } = await world.refund(60, 'submitting', 'unknown')
      world.stripe.refund('re_1', 60, 'succeeded', id)
      await world.look()
      t.match(await world.refunds(), [{ id, status: 'succeeded', stripeRefund: 're_1' }])
      await world.holds(t)
    })

    t.test('leaves what is still to be sent to who sends it', async (t) => {
      const world = await worldOf(engine)
      const { id } = await world.refund(60)
      world.stripe.refund('re_1', 60, 'succeeded', id)
      t.same((await world.look()).changes, [])
      t.match(await world.refunds(), [{ id, status: 'requested' }])
    })

    t.test('counts a second one under our name as somebody else’s', async (t) => {
      const world = await worldOf(engine)
      const { id } = await world.refund(40, 'submitting')
      world.stripe.refund('re_1', 40, 'succeeded', id)
      world.stripe.refund('re_2', 40, 'succeeded', id)
      await world.look()
      t.match(await world.refunds(), [{ trigger: 'external', stripeRefund: 're_2' }, { id }])
      t.match(await world.read(), { reserved: 40, elsewhere: 40, refunded: 80 })
      await world.holds(t)
    })

    t.test('never undoes with an old answer what was done since', async (t) => {
      const world = await worldOf(engine)
      const { id } = await world.refund(60, 'submitting')
      world.stripe.refund('re_1', 60, 'pending', id)
      let isDone = false
      world.stripe.meanwhile = async () => {
        if (isDone) return
        isDone = true
        world.stripe.become('re_1', 'failed')
        const [refund] = await world.refunds()
        const [fact] = world.stripe.refunds
        if (!refund || !fact) throw new Error('there is no refund')
        await world.inTables((tables) => applyStripeRefund(tables, refund, fact, world.system.now()))
      }
      t.match(await world.look(), { outcome: 'overtaken', changes: [] })
      t.match(await world.refunds(), [{ status: 'failed' }])
      t.ok(Number(await world.dueInMinutes()) < 0.1, 'it is looked at anew')
      t.same((await world.look()).outcome, 'unchanged')
      t.match(await world.read(), { reserved: 0, refunded: 0 })
      await world.holds(t)
    })

    t.test('does not take what was refunded since it was asked for refunded elsewhere', async (t) => {
      const world = await worldOf(engine)
      let isDone = false
      world.stripe.meanwhile = async () => {
        if (isDone) return
        isDone = true
        await world.refund(20, 'submitting')
      }
      t.equal((await world.look()).outcome, 'overtaken')
      await world.holds(t)
    })

    t.test('tells of a dispute once, which blocks until it is won', async (t) => {
      const world = await worldOf(engine)
      world.stripe.charge.dispute = { id: 'dp_1', status: 'needs_response' }
      t.match((await world.look()).changes, [{ kind: 'charge_differs' }])
      t.same((await world.look()).changes, [])
      t.equal(await world.dueInMinutes(), (24 * hourMs) / minuteMs)
      await t.rejects(world.refund(10), 'a charge in dispute is not refunded')
      world.stripe.charge.dispute = { id: 'dp_1', status: 'under_review' }
      await world.look()
      world.stripe.charge.dispute = undefined
      await world.look()
      t.same(await world.events('ch_1'), ['charge.disputed'])
      t.same(await world.timeline(), ['charge_disputed', 'charge_disputed', 'dispute_closed'])
      t.ok(await world.refund(10))
      await world.holds(t)
    })

    t.test('finds what was captured since', async (t) => {
      const world = await worldOf(engine)
      await world.refund(100)
      world.stripe.charge.captured = 150
      t.match((await world.look()).changes, [{ kind: 'charge_differs' }])
      t.equal((await world.booking())?.payment?.charge?.amount, 150)
      t.ok(await world.refund(50))
      await t.rejects(world.refund(1))
      await world.holds(t)
    })

    t.test('takes what was never captured for no refund', async (t) => {
      const world = await worldOf(engine)
      world.stripe.refund('re_release', 40, 'succeeded')
      world.stripe.refund('re_1', 30, 'succeeded')
      Object.assign(world.stripe.charge, { refunded: 30, release: 're_release' })
      await world.look()
      t.match(await world.refunds(), [{ stripeRefund: 're_1', trigger: 'external' }])
      t.equal((await world.refunds()).length, 1)
      t.ok(await world.refund(70))
      await world.holds(t)
    })

    t.test('reports what cannot have become of a refund, and changes nothing', async (t) => {
      const world = await worldOf(engine)
      const { id } = await world.refund(60, 'submitting')
      world.stripe.refund('re_1', 60, 'failed', id)
      await world.look()
      world.stripe.become('re_1', 'succeeded')
      t.match((await world.look()).changes, [{ kind: 'refund_differs', repaired: false }])
      t.same(world.errors, ['a refund cannot become what Stripe says'])
      t.match(await world.refunds(), [{ status: 'failed' }])
    })

    t.test('of a charge that Stripe does not show changes nothing', async (t) => {
      const world = await worldOf(engine)
      const { id } = await world.refund(60, 'submitting')
      world.stripe.refund('re_1', 60, 'succeeded', id)
      await world.look()
      world.stripe.isForgetful = true
      t.match(await world.look(), { outcome: 'unknown', changes: [] })
      t.match(await world.refunds(), [{ status: 'succeeded' }])
      t.same(world.errors, ['Stripe does not show a charge'])
      await world.holds(t)
    })

    t.test('is tried again while Stripe is away', async (t) => {
      // Whatever is due is taken, whosever it is.
      await sql`update charges set look_at = null`.execute(engine.db)
      const world = await worldOf(engine)
      world.stripe.refund('re_1', 30, 'succeeded')
      await world.makeDue()
      world.stripe.isAway = true
      t.equal(await world.looks.lookNext(), false)
      t.equal(await world.dueInMinutes(), 1)
      t.equal(await world.looks.lookNext(), false, 'there is nothing else')
      world.stripe.isAway = false
      await world.makeDue()
      t.equal(await world.looks.lookNext(), true)
      t.match(await world.refunds(), [{ trigger: 'external' }])
      t.match(world.looks.counts(), { failed: 1, changed: 1 })
      await world.holds(t)
    })

    t.test('follows sooner where what was read is of two moments', async (t) => {
      const world = await worldOf(engine)
      world.stripe.charge.refunded = 30
      await world.look()
      t.equal(await world.dueInMinutes(), 0.1)
      await world.look()
      t.equal(await world.dueInMinutes(), 0.2)
    })

    t.test('is followed by others at longer and longer intervals', async (t) => {
      const world = await worldOf(engine)
      const { id } = await world.refund(60, 'submitting')
      world.stripe.refund('re_1', 60, 'pending', id)
      const waits: (number | undefined)[] = []
      for (let n = 0; n < 5; n++) {
        await world.look()
        waits.push(await world.dueInMinutes())
      }
      t.same(waits, [1, 5, 60, 1440, 1440])
      world.stripe.become('re_1', 'succeeded')
      await world.look()
      t.equal(await world.dueInMinutes(), 1440)
      await world.system.sleep(6 * dayMs)
      await world.look()
      t.equal(await world.dueInMinutes(), undefined)
      await world.holds(t)
    })
  })
}

t.test('what nothing is expected of is not looked at again', async (t) => {
  const now = 40 * dayMs
  const refund = (status: 'pending' | 'succeeded' | 'failed' | 'awaiting_approval', at: number) => ({
    ...{ status, createdAt: at, updatedAt: at }
  })
  const next = (...refunds: ReturnType<typeof refund>[]) =>
    nextLookMs({ looks: 9, refunds, dispute: undefined }, now)
  t.equal(next(), undefined)
  t.equal(next(refund('failed', now)), undefined)
  t.equal(next(refund('awaiting_approval', now)), undefined)
  t.equal(next(refund('pending', now - 34 * dayMs)), dayMs)
  t.equal(next(refund('pending', now - 36 * dayMs)), undefined)
  t.equal(next(refund('succeeded', now - 4 * dayMs)), dayMs)
  t.equal(next(refund('succeeded', now - 6 * dayMs)), undefined)
  t.equal(nextLookMs({ looks: 0, refunds: [], dispute: { id: 'dp_1', status: 'lost' } }, now), dayMs)
})
