import { type RawBuilder, sql } from 'kysely'
import t from 'tap'
import { type IntegrityBounds, type Invariant, moneyInvariants } from '../../src/core/integrity.ts'
import type { Engine } from '../../src/database/engine.ts'
import { createIntegrityCounts } from '../../src/database/integrity.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { aBooking } from '../support/samples.ts'

const dayMs = 86_400_000
const now = Date.now()
const bounds: IntegrityBounds = {
  now,
  sweptWithinMs: 60_000,
  settledWithinMs: 3_600_000,
  checkedWithinMs: undefined,
  paysWithinMs: 60_000,
  keptForMs: 90 * dayMs
}
const long = sql`now() - interval '2 hours'`
const later = sql`now() + interval '1 hour'`

type World = Awaited<ReturnType<typeof soundWorld>>
type Case = readonly [title: string, breakIt: (world: World) => Promise<unknown>]

type RefundColumns = {
  amount?: number
  status?: string
  history?: readonly string[]
  trigger?: string
  stripeRefund?: string | null
  key?: string | null
}

/**
 * A charge of 100 of a canceled booking: 50 refunded by the policy, 20 asked for, 30 tried and failed, 10 refunded in
 * Stripe itself, and all of it written down as it should be.
 */
async function soundWorld({ db, transaction }: Engine, tenant: string) {
  const run = (statement: RawBuilder<unknown>) => statement.execute(db)
  const id = (name: string) => `${name}_${tenant}`
  const book = (name: string, changes: object = {}) =>
    transaction((tx) =>
      tablesOf(tx).bookings.insert(
        aBooking({ id: id(name), tenantId: tenant, status: 'canceled', ...changes })
      )
    )
  const refund = (name: string, columns: RefundColumns = {}) => {
    const { amount = 10, status = 'succeeded', trigger = 'manual', history = ['requested', status] } = columns
    const { stripeRefund = `re_${name}`, key = trigger === 'external' ? null : `key_${name}` } = columns
    const details = { history: history.map((status) => ({ status, at: now - dayMs })) }
    return run(sql`insert into refunds (id, tenant_id, booking_id, charge, status, trigger, amount, currency,
        idempotency_key, stripe_refund, details, resolve_at, created_at, updated_at)
      values (${id(name)}, ${tenant}, ${id('bkg')}, 'ch_1', ${status}, ${trigger}, ${amount}, 'usd',
        ${key && id(key)}, ${stripeRefund && id(stripeRefund)}, ${JSON.stringify(details)},
        ${status === 'requested' ? later : null}, now() - interval '1 day', now() - interval '1 day')`)
  }
  const post = (entries: Readonly<Record<string, number>>, transaction: string, currency = 'usd') =>
    Promise.all(
      Object.entries(entries).map(([account, amount]) =>
        run(sql`insert into ledger_entries (tenant_id, transaction_id, charge, account, amount, currency, at)
          values (${tenant}, ${id(transaction)}, 'ch_1', ${account}, ${amount}, ${currency}, now())`)
      )
    )
  let told = 0
  const tell = (name: string) =>
    run(sql`insert into events (id, tenant_id, type, subject, sequence, at, body)
      values (${id(`evt_${++told}`)}, ${tenant}, 'refund.succeeded', ${id(name)}, ${told}, now(), '')`)

  await run(sql`insert into tenants (id, name) values (${tenant}, ${tenant})`)
  await book('bkg')
  await run(sql`insert into charges (tenant_id, id, booking_id, currency, captured, reserved, elsewhere, refunded,
      livemode, look_at, looked_at, created_at)
    values (${tenant}, 'ch_1', ${id('bkg')}, 'usd', 100, 70, 10, 60, false, ${later}, now(), now())`)
  await post({ captured: -100, refundable: 100 }, 'opening')
  await refund('half', { amount: 50, trigger: 'cancellation' })
  await tell('half')
  await post({ refundable: -50, reserved: 50 }, 'half')
  await post({ reserved: -50, refunded: 50 }, 'half_done')
  await refund('asked', { amount: 20, status: 'requested', history: ['requested'], stripeRefund: null })
  await post({ refundable: -20, reserved: 20 }, 'asked')
  await refund('failed', { amount: 30, status: 'failed', history: ['requested', 'succeeded', 'failed'] })
  await tell('failed')
  await refund('theirs', { trigger: 'external', history: ['succeeded'] })
  await tell('theirs')
  await post({ refundable: -10, elsewhere: 10 }, 'theirs')
  return { run, id, tenant, book, refund, post, tell }
}

const setCharge = ({ run, tenant }: World, columns: RawBuilder<unknown>) =>
  run(sql`update charges set ${columns} where tenant_id = ${tenant}`)
const setRefund = ({ run, id }: World, name: string, columns: RawBuilder<unknown>) =>
  run(sql`update refunds set ${columns} where id = ${id(name)}`)
const historyOf = (...statuses: string[]) =>
  sql`details = ${JSON.stringify({ history: statuses.map((status) => ({ status, at: now - dayMs })) })}::jsonb`

/** Each breaks that invariant once, and no other. */
const cases: Readonly<Record<(typeof moneyInvariants)[number], readonly Case[]>> = {
  refunds_above_captured: [
    [
      'Stripe has refunded more than was captured',
      async (world) => {
        await setRefund(world, 'theirs', sql`amount = 60`)
        await setCharge(world, sql`refunded = 110, elsewhere = 60`)
        await world.post({ refundable: -50, elsewhere: 50 }, 'more')
      }
    ]
  ],
  reservations_differing: [
    [
      'a counter with nothing behind it',
      async (world) => {
        await setCharge(world, sql`reserved = 71`)
        await world.post({ refundable: -1, reserved: 1 }, 'nothing')
      }
    ],
    [
      'an amount that was not freed',
      async (world) => {
        await setRefund(
          world,
          'asked',
          sql`status = 'rejected', ${historyOf('awaiting_approval', 'rejected')}`
        )
      }
    ],
    [
      'one elsewhere that is counted twice',
      async (world) => {
        await setCharge(world, sql`elsewhere = 20`)
        await world.post({ refundable: -10, elsewhere: 10 }, 'twice')
      }
    ]
  ],
  stripe_refunds_shared: [
    [
      'two under one key',
      ({ run, tenant }) =>
        run(sql`update refunds set idempotency_key = 'one' where tenant_id = ${tenant}
        and status in ('requested', 'failed')`)
    ],
    ['a success without a refund of Stripe’s', (world) => setRefund(world, 'half', sql`stripe_refund = null`)]
  ],
  ledger_unbalanced: [
    [
      'an entry without its other half',
      async ({ post }) => {
        await post({ refundable: 5 }, 'alone')
        await post({ refundable: -5, captured: 5 }, 'back')
        await post({ captured: -5, refundable: 5 }, 'forth')
      }
    ]
  ],
  ledger_differing: [
    ['a transaction without a reason', ({ post }) => post({ captured: -5, refundable: 5 }, 'more')],
    ['a success that was not booked', ({ post }) => post({ refunded: -50, reserved: 50 }, 'taken_back')]
  ],
  automatic_refunds_doubled: [
    [
      'one for each of two bookings that are one',
      async (world) => {
        await world.book('part', { mergedInto: world.id('bkg') })
        await setRefund(world, 'asked', sql`booking_id = ${world.id('part')}, trigger = 'no_show'`)
      }
    ]
  ],
  refunds_of_reschedules: [
    [
      'a booking that stands',
      ({ run, id }) => run(sql`update bookings set status = 'confirmed' where id = ${id('bkg')}`)
    ],
    [
      'a booking that was moved and is a part of another',
      ({ run, id }) =>
        run(sql`update bookings set details = details || '{"mergedInto": "bkg_9"}' where id = ${id('bkg')}`)
    ]
  ],
  refund_successes_untold: [
    [
      'a success of which there is no event',
      ({ run, id }) => run(sql`delete from events where subject = ${id('half')}`)
    ],
    ['one that was told twice', ({ tell }) => tell('half')],
    ['one that was told and is none', ({ tell }) => tell('asked')]
  ],
  refund_amounts_foreign: [
    ['another currency', (world) => setRefund(world, 'half', sql`currency = 'eur'`)],
    [
      'another currency in the ledger',
      async ({ post }) => {
        await post({ refundable: -1, reserved: 1 }, 'there', 'eur')
        await post({ refundable: 1, reserved: -1 }, 'back', 'eur')
      }
    ]
  ],
  refund_finals_changed: [
    [
      'a failure that succeeded',
      (world) => setRefund(world, 'half', historyOf('requested', 'failed', 'succeeded'))
    ],
    ['a status without its step', (world) => setRefund(world, 'asked', historyOf('awaiting_approval'))]
  ],
  stripe_refunded_differing: [
    ['Stripe has refunded more than we know of', (world) => setCharge(world, sql`refunded = 61`)],
    [
      'it does, and nobody will look',
      (world) => setCharge(world, sql`refunded = 59, look_at = null, looked_at = now() - interval '2 days'`)
    ]
  ],
  refunds_overdue: [
    ['one that is due for hours', (world) => setRefund(world, 'asked', sql`resolve_at = ${long}`)],
    ['one that nobody will take', (world) => setRefund(world, 'asked', sql`resolve_at = null`)]
  ],
  payment_tasks_overdue: [
    [
      'one that is due for hours',
      ({ run, tenant, id }) =>
        run(sql`insert into payment_tasks (tenant_id, booking_id, kind, details, due_at, created_at)
        values (${tenant}, ${id('bkg')}, 'read', '{}', ${long}, now())`)
    ]
  ],
  charges_overdue: [['one that is due for hours', (world) => setCharge(world, sql`look_at = ${long}`)]]
}

/** What is merely under way. */
const sound: readonly Case[] = [
  ['at first', async () => {}],
  [
    'a refund in Stripe that takes what we have asked for',
    async (world) => {
      await world.refund('dashboard', { amount: 40, trigger: 'external', history: ['succeeded'] })
      await world.tell('dashboard')
      await world.post({ refundable: -40, elsewhere: 40 }, 'dashboard')
      await setCharge(world, sql`elsewhere = 50, refunded = 100`)
    }
  ],
  [
    'an answer of Stripe’s since which it was not read',
    async (world) => {
      const history = historyOf('requested', 'submitting', 'pending')
      await setRefund(
        world,
        'asked',
        sql`status = 'pending', stripe_refund = 're_asked', updated_at = now() + interval '1 minute', ${history}`
      )
    }
  ],
  [
    'an answer that is out',
    async (world) => {
      const history = historyOf('requested', 'submitting', 'unknown')
      await setRefund(world, 'asked', sql`status = 'unknown', ${history}`)
      await setCharge(world, sql`refunded = 80`)
    }
  ],
  ['what is to be read at once', (world) => setCharge(world, sql`refunded = 61, look_at = now()`)],
  ['a charge that nobody need read again', (world) => setCharge(world, sql`look_at = null`)],
  [
    'a success so old that its event is gone',
    async (world) => {
      const history = [{ status: 'succeeded', at: now - 91 * dayMs }]
      await setRefund(world, 'half', sql`details = ${JSON.stringify({ history })}::jsonb`)
      await world.run(sql`delete from events where subject = ${world.id('half')}`)
    }
  ]
]

for (const kind of engines) {
  t.test(`money that does not add up is counted (${kind})`, async (t) => {
    const engine = await openTestEngine(t, kind)
    const count = createIntegrityCounts(engine)
    let tenants = 0

    const found = async (breakIt: Case[1], given = bounds) => {
      const world = await soundWorld(engine, `tenant_${++tenants}`)
      await breakIt(world)
      const counted: Partial<Record<Invariant, number>> = {}
      for (const name of moneyInvariants) {
        const violations = await count(name, given, world.tenant)
        if (violations > 0) counted[name] = violations
      }
      return counted
    }

    for (const [title, arrange] of sound) t.same(await found(arrange), {}, title)
    for (const name of moneyInvariants)
      for (const [title, breakIt] of cases[name]) t.same(await found(breakIt), { [name]: 1 }, title)

    const unpaid = { ...bounds, paysWithinMs: undefined }
    for (const name of ['refunds_overdue', 'payment_tasks_overdue', 'charges_overdue'] as const)
      for (const [title, breakIt] of cases[name])
        t.same(await found(breakIt, unpaid), {}, `without Stripe: ${title}`)
  })
}
