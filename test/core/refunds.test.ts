import t from 'tap'
import { revise } from '../../src/core/booking-changes.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { moneyHoldsIn } from '../support/money.ts'
import { keyed, keyless } from './support/guarded.ts'
import { refundingOn } from './support/refunding.ts'

t.setTimeout(300_000)

for (const kind of engines) {
  t.test(`refunds that callers ask for, on ${kind}`, async (t) => {
    const engine = await openTestEngine(t, kind)
    const callerOf = (tenantId: string) => ({ tenantId, name: 'shop', scopes: [] })

    t.test('whoever asks again after a death at any step has asked once', async (t) => {
      let isAlive = false
      for (let steps = 0; !isAlive; steps++) {
        const { world, stripe, openRefunds, carry, survives, only, look } = await refundingOn(engine, [
          'lost after it was done'
        ])
        const [caller, key] = [callerOf(world.tenantId), keyed()]
        const ask = () => openRefunds().request(caller, { bookingId: 'any', amount: 60 }, key)
        isAlive = await carry(ask, steps)
        const { id } = (await world.refunds())[0] ?? (await ask())
        t.ok(await survives(ask()))
        await carry(async () => {})
        t.match(
          await only(),
          { id, status: 'succeeded', amount: 60, trigger: 'manual' },
          `after ${steps} steps`
        )
        t.equal((await world.refunds()).length, 1)
        t.equal(stripe.refunds.length, 1)
        await look()
      }
      await moneyHoldsIn(t, engine)
    })

    t.test(
      'of one that failed another is made once, however often and at once that is asked for',
      async (t) => {
        const { world, stripe, openRefunds, look } = await refundingOn(engine, [
          ...(['refused', 'refused', 'lost before it was done'] as const)
        ])
        const caller = callerOf(world.tenantId)
        const first = await openRefunds().request(caller, { bookingId: 'any', amount: 30 }, keyless)
        t.equal(first.status, 'failed')
        const retry = (id: string) => openRefunds().retry(caller, id, keyless)
        const second = await retry(first.id)
        t.match(second, { status: 'failed', retryOf: first.id, amount: 30 })

        const thirds = await Promise.all([first, second, first, second].map(({ id }) => retry(id)))
        t.equal(new Set(thirds.map(({ id }) => id)).size, 1, 'also where another was tried in between')
        t.match(await retry(thirds[0]?.id ?? ''), { id: thirds[0]?.id, status: 'succeeded' })
        t.equal(stripe.refunds.length, 1)
        t.same((await world.refunds()).map(({ status }) => status).toSorted(), [
          'failed',
          'failed',
          'succeeded'
        ])
        await t.rejects(retry(thirds[0]?.id ?? ''), { code: 'refund_not_retryable' })
        await look()
        await world.holds(t)
      }
    )

    t.test('a booking that was merged meanwhile, and a dispute that is known, are in the way', async (t) => {
      const { world, stripe, openRefunds } = await refundingOn(engine)
      const caller = callerOf(world.tenantId)
      const ask = () => openRefunds().request(caller, { bookingId: 'any', amount: 1 }, keyless)
      const { charge } = world.stripe
      charge.dispute = { id: 'dp_1', status: 'needs_response' }
      await t.rejects(ask(), { code: 'charge_disputed' })
      await world.look()
      // As Stripe had it before.
      charge.dispute = undefined
      await world.system.sleep(-10_000)
      await t.rejects(ask(), { code: 'charge_disputed' })
      const id = (await world.booking())?.id ?? ''
      stripe.meanwhile = () =>
        world.inTables(async ({ bookings }) => {
          const booking = await bookings.lock(world.tenantId, id)
          if (booking) await bookings.update(revise(booking, 0, { mergedInto: 'bkg_another' }))
        })
      await t.rejects(ask(), { code: 'not_refundable' })
      t.same(await world.refunds(), [])
      await world.holds(t)
    })
  })
}
