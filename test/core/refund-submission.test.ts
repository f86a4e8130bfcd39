import t from 'tap'
import type { StripeRefundRequest } from '../../src/core/payments.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { moneyHoldsIn } from '../support/money.ts'
import { aBooking } from '../support/samples.ts'
import { absenceMs, refundingOn, type Turn } from './support/refunding.ts'

t.setTimeout(300_000)

const twice = <T>(one: T): T[] => [one, one]
const stories: Record<string, readonly Turn[]> = {
  'an answer at once': [],
  'an answer that is lost before it was done': ['lost before it was done'],
  'an answer that is lost again and again': [
    ...twice('lost before it was done' as const),
    'lost after it was done'
  ],
  'an answer that is lost after it was done': ['lost after it was done'],
  'a refund that shows only after it was looked for': [
    'lost while it is done, which shows only after the next look'
  ],
  'a key that is still in use': ['lost while it is done, which shows only after the next look', 'key in use'],
  'a failure that Stripe keeps, though it was done': ['failed and kept, though it was done'],
  'a failure that Stripe keeps, with nothing done': ['failed and kept, with nothing done'],
  'a failure that it keeps under the next key, too': [
    'failed and kept, with nothing done',
    'lost before it was done',
    'not done',
    'lost before it was done',
    'failed and kept, with nothing done'
  ],
  'a Stripe that is away': twice('not done'),
  'a Stripe that is away after a lost answer': ['lost after it was done', 'not done']
}

for (const kind of engines) {
  t.test(`a refund on its way to Stripe, on ${kind}`, async (t) => {
    const engine = await openTestEngine(t, kind)

    for (const [name, turns] of Object.entries(stories)) {
      t.test(`${name}, and a death at any step, lead to one refund`, async (t) => {
        let isAlive = false
        for (let steps = 0; !isAlive; steps++) {
          const { world, stripe, open, carry, only, look } = await refundingOn(engine, turns)
          const refund = await world.refund(60)
          const { id } = refund
          isAlive = await carry(() => open().submit(refund), steps)
          t.match(await only(), { id, status: 'succeeded', stripeRefund: 're_1' }, `after ${steps} steps`)
          t.match(stripe.refunds, [{ amount: 60, refundId: id }])
          t.equal(stripe.refunds.length, 1)
          t.same((await world.events(id)).filter(isEnd), ['refund.created', 'refund.succeeded'])
          t.equal((await world.booking())?.payment?.charge?.refundedAmount, 60)
          await look()
        }
        await moneyHoldsIn(t, engine)
      })
    }

    t.test('is sent under one key, until two looks find nothing of a failure that is kept', async (t) => {
      const lost = await refundingOn(engine, stories['an answer that is lost again and again'])
      const one = await lost.world.refund(60)
      await lost.carry(() => lost.open().submit(one))
      t.same(new Set(lost.stripe.posts), new Set([`${one.id}-1`]))

      const failing = await refundingOn(engine, ['failed and kept, with nothing done'])
      const { world, stripe, open, only, look } = failing
      const { id } = await world.refund(60)
      const take = async () => open().submit(await only())
      t.match(await take(), { status: 'unknown', resolution: { keptFailures: 1 } })
      t.match(await take(), { status: 'unknown', resolution: { keptFailures: 2 } })
      t.match(await take(), { resolution: { absentSince: world.system.now() } }, 'the first look')
      await world.system.sleep(absenceMs - 1)
      t.match(await take(), { status: 'unknown' }, 'a look that is too soon')
      t.same(stripe.posts, twice(`${id}-1`))
      await world.system.sleep(1)
      t.match(await take(), { status: 'succeeded', idempotencyKey: `${id}-2` })
      t.same(stripe.posts, [`${id}-1`, `${id}-1`, `${id}-2`])
      await look()
      await world.holds(t)
    })

    t.test(
      'is sent as it was before, also where its booking turns out to be a part of another',
      async (t) => {
        const { world, stripe, open, only, carry, look } = await refundingOn(engine, [
          'lost before it was done'
        ])
        const { tenantId, inTables } = world
        const refund = await world.refund(60)
        const sent: StripeRefundRequest[] = []
        const { post } = stripe
        stripe.post = async (request) => {
          sent.push(request)
          return post(request)
        }
        await open().submit(refund)
        for (const name of ['first', 'second']) {
          const [{ bookingId: from }, to] = [await only(), `${refund.bookingId}_${name}`]
          await inTables(async ({ bookings, refunds }) => {
            await bookings.insert(aBooking({ id: to, tenantId, status: 'canceled' }))
            await refunds.reassign(tenantId, from, to)
          })
        }
        await carry(async () => open().submit(await only()))
        t.match(await only(), { status: 'succeeded', bookingId: `${refund.bookingId}_second` })
        t.equal(sent.length, 2)
        t.same(sent[1], sent[0])
        await look()
        await world.holds(t)
      }
    )

    t.test('is sent once by two who have it, and adopted by who comes later', async (t) => {
      const { world, stripe, open, only, carry, look } = await refundingOn(engine)
      const refund = await world.refund(60)
      await Promise.all([open().submit(refund), open().submit(refund), open().submit(refund)])
      t.equal(stripe.posts.length, 1)
      await carry(async () => open().submit(await only()))
      t.equal(stripe.posts.length, 1)
      t.match(await only(), { status: 'succeeded' })
      await look()
      await world.holds(t)
    })

    t.test('is what Stripe has done, also where another takes it over before the answer', async (t) => {
      const { world, stripe, open, only, look } = await refundingOn(engine)
      const refund = await world.refund(60)
      let others = 1
      stripe.meanwhile = async () => {
        if (others-- > 0) await open().submit(await only())
      }
      t.match(await open().submit(refund), { status: 'succeeded' })
      t.equal(stripe.refunds.length, 1)
      t.same(await world.events(refund.id), ['refund.created', 'refund.succeeded'])
      await look()
      await world.holds(t)
    })

    t.test('is adopted where Stripe made it before an older backup was restored', async (t) => {
      const { world, stripe, open, only, look } = await refundingOn(engine)
      const { id } = await world.refund(60)
      const { charge } = await only()
      const made = { id: 're_1', charge, amount: 60, currency: 'usd', status: 'succeeded' } as const
      stripe.refunds.push({ ...made, refundId: id, createdAt: world.system.now() })
      await look()
      t.match(await only(), { status: 'requested' })
      await world.system.sleep(25 * 3_600_000)
      t.match(await open().submit(await only()), { id, status: 'succeeded', stripeRefund: 're_1' })
      t.same(stripe.posts, [], 'a key that is forgotten would make another')
      await look()
      await world.holds(t)
    })

    t.test('that is refused fails and frees its amount, once', async (t) => {
      const { world, open, only, carry } = await refundingOn(engine, ['refused'])
      const { id } = await world.refund(60)
      await carry(async () => open().submit(await only()))
      t.match(await only(), { status: 'failed', failureReason: 'charge_disputed' })
      t.same(await world.events(id), ['refund.created', 'refund.failed'])
      t.match(await world.read(), { reserved: 0 })
      t.equal(await world.dueInMinutes(), 0, 'what Stripe says of the charge is read')
      await world.holds(t)
    })

    t.test('that is refused for what an earlier try has done, is adopted', async (t) => {
      const showsLate = 'lost while it is done, which shows only after the next look'
      const { world, open, only, carry, look } = await refundingOn(engine, [showsLate, 'refused anew'])
      const { id } = await world.refund(60)
      await carry(async () => open().submit(await only()))
      t.match(await only(), { id, status: 'succeeded' })
      await look()
      await world.holds(t)
    })

    t.test('that Stripe is away from is not written down again and again', async (t) => {
      const { world, only, open } = await refundingOn(engine, Array<Turn>(6).fill('lost before it was done'))
      const { id } = await world.refund(60)
      for (let turn = 0; turn < 6; turn++) await open().submit(await only())
      t.match(await only(), { status: 'unknown' })
      t.same(
        (await only()).history.map(({ status }) => status),
        ['requested', 'submitting', 'unknown']
      )
      t.same(await world.events(id), ['refund.created', 'refund.updated'])
      await open().submit(await only())
      t.match(await only(), { status: 'succeeded' })
    })

    t.test('waits where Stripe cannot be asked, longer each time, and is not sent unseen', async (t) => {
      const { world, stripe, only, open, carry, look } = await refundingOn(engine, ['lost after it was done'])
      await world.refund(60)
      await open().submit(await only())
      stripe.isAway = true
      for (const tries of [2, 3, 4]) {
        t.match(await open().submit(await only()), { status: 'unknown', resolution: { tries } })
      }
      t.equal(stripe.posts.length, 1)
      stripe.isAway = false
      await carry(async () => open().submit(await only()))
      t.match(await only(), { status: 'succeeded' })
      t.equal(stripe.posts.length, 1)
      await look()
      await world.holds(t)
    })

    t.test('that Stripe works at is followed when somebody asks for it', async (t) => {
      const { world, stripe, only, open, look } = await refundingOn(engine)
      stripe.status = 'pending'
      const { id } = await world.refund(60)
      t.match(await open().submit(await only()), { status: 'pending' })
      t.match(await open().submit(await only()), { status: 'pending' })
      const [made] = stripe.refunds
      if (made) stripe.refunds[0] = { ...made, status: 'succeeded' }
      stripe.isAway = true
      t.match(await open().submit(await only()), { status: 'pending' })
      stripe.isAway = false
      t.match(await open().submit(await only()), { status: 'succeeded' })
      t.same(await world.events(id), ['refund.created', 'refund.updated', 'refund.succeeded'])
      await look()
      await world.holds(t)
    })
  })
}

const isEnd = (type: string) => type !== 'refund.updated'
