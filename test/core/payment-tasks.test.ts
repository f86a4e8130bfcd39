import { sql } from 'kysely'
import t, { type Test } from 'tap'
import type { Booking } from '../../src/core/booking.ts'
import type { CancellationFact, InviteeFact, PaymentFact } from '../../src/core/calendly.ts'
import { createFacts } from '../../src/core/facts.ts'
import { applyNoShow } from '../../src/core/no-shows.ts'
import { createPaymentTasks } from '../../src/core/payment-tasks.ts'
import type { Refund } from '../../src/core/refund.ts'
import { lockRefund } from '../../src/core/refund-outcomes.ts'
import { applyStripeRefund, changeRefund } from '../../src/core/refund-recording.ts'
import { realSystem } from '../../src/core/system.ts'
import { listBookings } from '../../src/database/bookings.ts'
import { listRefunds } from '../../src/database/refunds.ts'
import { readTimeline } from '../../src/database/timeline.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { type EngineKind, engines, openTestEngine } from '../support/database.ts'
import { moneyHoldsIn } from '../support/money.ts'
import { anEvent, anInvitee, inviteeUri, meeting, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'
import { hourMs } from './support/chains.ts'
import { littleStripe } from './support/little-stripe.ts'

const paid: PaymentFact = {
  externalId: 'ch_1',
  provider: 'stripe',
  amount: '50.00',
  currency: 'USD',
  successful: true
}
const byInvitee: CancellationFact = { cancelerType: 'invitee', canceledBy: 'Ada Example' }

/** A database of its own, a Stripe with a charge of 50 dollars, and three days until `tuesday`. */
async function open(t: Test, kind: EngineKind) {
  const engine = await openTestEngine(t, kind)
  const { db, transaction } = engine
  const system = fakeSystem(tuesday - 72 * hourMs)
  const stripe = littleStripe()
  stripe.charge('ch_1', { paymentIntent: 'pi_1' })
  const facts = createFacts({ system })
  const state = { submit: async (refund: Refund) => refund }
  const transact = <T>(work: (tables: ReturnType<typeof tablesOf>) => Promise<T>) =>
    transaction((tx) => work(tablesOf(tx, system)))
  const tasks = createPaymentTasks({
    // Its clock stands still while a caller waits.
    system: { ...system, sleep: realSystem.sleep },
    ...{ transact, payments: stripe.payments, needsApproval: false },
    submit: (refund) => state.submit(refund),
    log: { warn: () => {} }
  })

  const world = {
    ...{ engine, system, stripe, transact, tasks, state },
    tell: (name: string, changes: Partial<InviteeFact>) =>
      transact((tables) =>
        facts.apply(
          tables,
          'default',
          anInvitee(name, changes),
          anEvent(name, { status: changes.status ?? 'active' }),
          'webhook'
        )
      ),
    /** Booked and paid on Calendly's page, and canceled there so many hours before its start. */
    async cancel(payment: PaymentFact | undefined, hours = 48, cancellation = byInvitee): Promise<void> {
      await world.tell('A', { payment })
      const createdAt = tuesday - hours * hourMs
      const end = { status: 'canceled', cancellation: { ...cancellation, createdAt } } as const
      await world.tell('A', { payment, ...end })
    },
    /** Until nothing is due; what was postponed counts as due. */
    async work(): Promise<void> {
      // In a transaction, which is tried again where a worker's stands in its way.
      await engine.transaction((tx) => sql`update payment_tasks set due_at = now()`.execute(tx))
      for (let more = true; more; ) more = await tasks.workNext()
    },
    async booking(): Promise<Booking> {
      const [booking] = await listBookings(db, 'default', { limit: 10, now: 0 })
      if (!booking) throw new Error('nothing is booked')
      return booking
    },
    refunds: () => listRefunds(db, 'default', { limit: 10 }),
    /** A quarter, and nothing for who cancels. */
    async payNoShows(): Promise<void> {
      const policy = { name: 'strict', version: 1, tiers: [{ noticeHours: 0, percentHundredths: 0 }] }
      await transact(async ({ policies, settings }) => {
        const percents = { hostCancelPercentHundredths: 10_000, noShowPercentHundredths: 2_500 }
        await policies.insert('default', { ...policy, ...percents, clock: 'start' }, tuesday)
        const rules = { bufferBeforeMinutes: 0, bufferAfterMinutes: 0, minimumNoticeMinutes: 0 }
        await settings.put('default', meeting, { ...rules, refundPolicy: 'strict' }, tuesday)
      })
    },
    /** How it stands with who appears, as Calendly tells it. */
    mark: (changes: Partial<InviteeFact>) =>
      transact((tables) =>
        applyNoShow(tables, 'default', anInvitee('A', { payment: paid, ...changes }), {
          now: tuesday + hourMs
        })
      ),
    async timeline(...types: string[]) {
      const entries = await readTimeline(db, 'default', (await world.booking()).id)
      return entries.filter(({ type }) => types.includes(type)).map(({ detail }) => detail)
    },
    async left(): Promise<string[]> {
      const { rows } = await sql<{ kind: string }>`select kind from payment_tasks order by kind`.execute(db)
      return rows.map(({ kind }) => kind)
    }
  }
  return world
}

type World = Awaited<ReturnType<typeof open>>

for (const engine of engines) {
  t.test(`the money of a booking on ${engine}`, async (t) => {
    const inWorld = (name: string, work: (t: Test, world: World) => Promise<void>) =>
      t.test(name, async (t) => {
        const world = await open(t, engine)
        await work(t, world)
        await moneyHoldsIn(t, world.engine, { now: world.system.now() })
      })

    inWorld('is known in Stripe’s integers soon after it was paid', async (t, world) => {
      await world.tell('A', { payment: { ...paid, externalId: 'pi_1', amount: '49.999' } })
      await world.work()
      const charge = { id: 'ch_1', paymentIntent: 'pi_1', amount: 5_000, currency: 'usd', refundedAmount: 0 }
      t.same((await world.booking()).payment?.charge, charge)
      t.same(await world.timeline('payment_read'), [{ charge: 'ch_1', amount: 5_000, currency: 'usd' }])
      t.same(await world.left(), [])
    })

    inWorld('is refunded by the notice of the cancellation, however late that is told', async (t, world) => {
      // Thirteen hours before the start, told seven hours before it.
      world.system.sleep(65 * hourMs)
      await world.cancel(paid, 13)
      await world.work()
      t.match(await world.refunds(), [
        { amount: 2_500, currency: 'usd', rule: 'notice_12h', trigger: 'cancellation', status: 'requested' }
      ])
      t.same(await world.left(), [])
      await world.cancel(paid, 13)
      await world.work()
      t.equal((await world.refunds()).length, 1, 'once, though told again')
    })

    inWorld('is refunded wholly where the host canceled on Calendly’s page', async (t, world) => {
      await world.cancel(paid, 1, { cancelerType: 'host', canceledBy: 'Hedy Host' })
      await world.work()
      t.match(await world.refunds(), [{ amount: 5_000, rule: 'host_cancel' }])
    })

    const reasons: readonly {
      reason: string
      payment?: PaymentFact
      hours?: number
      stripe?: (stripe: ReturnType<typeof littleStripe>) => unknown
    }[] = [
      { reason: 'paypal', payment: { ...paid, provider: 'paypal', externalId: 'PAYID-1' } },
      { reason: 'payment_unsuccessful', payment: { ...paid, successful: false } },
      { reason: 'charge_unknown', payment: { ...paid, externalId: 'ch_foreign' } },
      { reason: 'charge_unknown', payment: { ...paid, externalId: 'pi_other_mode' } },
      { reason: 'not_captured', stripe: ({ charge }) => charge('ch_1', { captured: 0 }) },
      { reason: 'not_captured', stripe: ({ charge }) => charge('ch_1', { isPaid: false }) },
      {
        reason: 'disputed',
        stripe: ({ charge }) => charge('ch_1', { dispute: { id: 'dp_1', status: 'needs_response' } })
      },
      { reason: 'policy', hours: 11 },
      { reason: 'nothing_left', stripe: ({ charge }) => charge('ch_1', { refunded: 5_000 }) },
      {
        reason: 'stripe_not_configured',
        stripe: ({ state }) => Object.assign(state, { isConfigured: false })
      }
    ]
    for (const { reason, payment = paid, hours, stripe } of reasons) {
      inWorld(`is not refunded for ${reason}, and the timeline says so`, async (t, world) => {
        stripe?.(world.stripe)
        await world.cancel(payment, hours)
        await world.work()
        t.same(await world.refunds(), [])
        t.same(await world.timeline('refund_not_due'), [{ reason }])
        t.notOk((await world.left()).includes('refund'))
      })
    }

    inWorld('is nobody’s business where nothing was paid', async (t, world) => {
      await world.cancel(undefined)
      await world.work()
      t.same(
        [await world.refunds(), await world.timeline('refund_not_due'), world.stripe.asked],
        [[], [], []]
      )
    })

    inWorld(
      'waits while Stripe is away and is refunded when it is back, by the notice it was canceled with',
      async (t, world) => {
        world.stripe.state.isAway = true
        await world.cancel(paid, 24)
        await world.work()
        t.same(await world.refunds(), [])
        t.ok((await world.left()).includes('refund'))
        await world.system.sleep(71 * hourMs)
        world.stripe.state.isAway = false
        await world.work()
        t.match(await world.refunds(), [{ amount: 5_000, rule: 'notice_24h' }])
      }
    )

    inWorld(
      'waits for a bank that is still at it, also when the booking has ended meanwhile',
      async (t, world) => {
        world.stripe.charge('ch_1', { captured: 0, isPaid: false, isPending: true })
        await world.cancel(paid, 24)
        await world.work()
        t.same(await world.left(), ['read', 'refund'])
        t.match(await world.tasks.settle({ tenantId: 'default', bookingId: (await world.booking()).id }), {
          ...{ isDecided: false, refund: undefined }
        })
        t.same([await world.timeline('refund_not_due', 'payment_read'), await world.refunds()], [[], []])
        await world.system.sleep(120 * hourMs)
        world.stripe.charge('ch_1')
        await world.work()
        t.match(await world.refunds(), [{ amount: 5_000, rule: 'notice_24h' }])
        t.same(await world.left(), [])
      }
    )

    inWorld('is refunded of the charge that followed one that failed', async (t, world) => {
      const told = { ...paid, externalId: 'pi_1' }
      world.stripe.charge('ch_1', { paymentIntent: 'pi_1', captured: 0, isPaid: false })
      await world.tell('A', { payment: told })
      await world.work()
      t.match((await world.booking()).payment, { charge: { id: 'ch_1', amount: 0 } })
      world.stripe.charge('ch_1', { captured: 0, isPaid: false })
      world.stripe.charge('ch_2', { paymentIntent: 'pi_1' })
      await world.cancel(told, 24)
      await world.work()
      t.match(await world.refunds(), [{ charge: 'ch_2', amount: 5_000 }])
      t.match((await world.booking()).payment, { charge: { id: 'ch_2', amount: 5_000 } })
    })

    inWorld('is refunded once where two decide at the same time', async (t, world) => {
      await world.cancel(paid, 13)
      const { id: bookingId } = await world.booking()
      const asked = { tenantId: 'default', bookingId }
      await Promise.all([world.tasks.settle(asked), world.tasks.settle(asked), world.work()])
      t.match(await world.refunds(), [{ amount: 2_500 }])
      t.equal((await world.refunds()).length, 1)
      t.same(await world.timeline('refund_not_due'), [])
      const [refund] = await world.refunds()
      t.match(await world.tasks.settle(asked), { isDecided: true, refund: { id: refund?.id } })
    })

    inWorld('is told of a booking and its refund as they are at one moment', async (t, world) => {
      await world.cancel(paid, 24)
      const { id: bookingId } = await world.booking()
      const now = world.system.now()
      world.state.submit = async (made) => {
        const change = (to: 'submitting' | 'succeeded') =>
          world.transact(async (tables) => {
            const refund = await lockRefund(tables, made)
            if (to === 'submitting') return changeRefund(tables, refund, now, { status: to })
            const { id: refundId, charge, amount, currency } = refund
            const fact = { id: 're_1', charge, amount, currency, status: to, refundId, createdAt: now }
            return applyStripeRefund(tables, refund, fact, now)
          })
        const submitting = await change('submitting')
        isDone = change('succeeded')
        return submitting
      }
      let isDone: Promise<unknown> = Promise.resolve()
      const { booking, refund } = await world.tasks.settle({ tenantId: 'default', bookingId })
      const returned = refund?.status === 'succeeded' ? refund.amount : 0
      t.equal(booking?.payment?.charge?.refundedAmount, returned)
      await isDone
      const fact = world.stripe.charge('ch_1', { paymentIntent: 'pi_1', refunded: 5_000 })
      await world.transact(({ charges }) =>
        charges.put('default', bookingId, fact, { lookedAt: now + 1, now })
      )
    })

    inWorld('is left where it was refunded before an older backup was restored', async (t, world) => {
      world.stripe.charge('ch_1', { refunded: 1_999 })
      world.stripe.refunds.push({
        ...{ id: 're_1', charge: 'ch_1', amount: 1_999, currency: 'usd', status: 'succeeded' },
        ...{ refundId: 'rfd_forgotten', createdAt: world.system.now() }
      })
      await world.cancel(paid, 13)
      await world.work()
      t.same(await world.refunds(), [])
      t.same(await world.timeline('refund_not_due'), [{ reason: 'refunded_before' }])
      t.same(await world.left(), [])
    })

    inWorld('is left of what somebody refunded in Stripe itself', async (t, world) => {
      world.stripe.charge('ch_1', { refunded: 1_999 })
      await world.cancel(paid, 13)
      await world.work()
      t.match(await world.refunds(), [{ amount: 1_500 }])
    })

    inWorld(
      'is refunded for a no-show as the policy says, unless that is taken back first',
      async (t, world) => {
        await world.payNoShows()
        await world.tell('A', { payment: paid })
        const noShow = { uri: `${inviteeUri('A')}/no-show`, createdAt: tuesday + hourMs }
        await world.mark({ noShow, updatedAt: tuesday + hourMs })
        t.ok((await world.left()).includes('refund'))
        await world.mark({ updatedAt: tuesday + 2 * hourMs })
        t.notOk((await world.left()).includes('refund'))
        await world.mark({ noShow: { uri: `${noShow.uri}-2` }, updatedAt: tuesday + 3 * hourMs })
        await world.work()
        t.match(await world.refunds(), [{ amount: 1_250, rule: 'no_show', trigger: 'no_show' }])
      }
    )

    inWorld(
      'stays where who did not appear was given another time before that was decided',
      async (t, world) => {
        await world.payNoShows()
        await world.tell('A', { payment: paid })
        const noShow = { uri: `${inviteeUri('A')}/no-show`, createdAt: tuesday + hourMs }
        await world.mark({ noShow, updatedAt: tuesday + hourMs })
        await world.tell('A', { status: 'canceled', rescheduled: true, newInvitee: inviteeUri('B') })
        await world.tell('B', { oldInvitee: inviteeUri('A') })
        t.match(await world.booking(), { status: 'confirmed', noShow: false })
        t.ok((await world.left()).includes('refund'))
        await world.work()
        t.same([await world.refunds(), await world.left()], [[], []])
      }
    )

    inWorld('stays for a no-show where the policy gives nothing, without a word', async (t, world) => {
      await world.tell('A', { payment: paid })
      await world.work()
      const noShow = { uri: `${inviteeUri('A')}/no-show`, createdAt: tuesday + hourMs }
      await world.transact((tables) =>
        applyNoShow(tables, 'default', anInvitee('A', { payment: paid, noShow }), { now: tuesday + hourMs })
      )
      await world.work()
      t.same([await world.refunds(), await world.timeline('refund_not_due')], [[], []])
      t.same(await world.left(), [])
    })
  })
}
