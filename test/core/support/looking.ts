import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Test } from 'tap'
import type { Booking } from '../../../src/core/booking.ts'
import { createChargeLooks } from '../../../src/core/charge-looks.ts'
import { openCharge } from '../../../src/core/charges.ts'
import { AppError } from '../../../src/core/errors.ts'
import type { ChargeFact, StripeRefundFact, StripeRefundStatus } from '../../../src/core/payments.ts'
import {
  type Reconciliation,
  type ReconciliationRange,
  type ReconciliationTables,
  reconciliationLeases,
  requestReconciliation
} from '../../../src/core/reconciliation.ts'
import type { Refund, RefundStatus } from '../../../src/core/refund.ts'
import { changeRefund, createRefund } from '../../../src/core/refund-recording.ts'
import type { RefundTables } from '../../../src/core/refund-tables.ts'
import { createStripeReconciliation } from '../../../src/core/stripe-reconciliation.ts'
import { findBooking } from '../../../src/database/bookings.ts'
import { readChargeLooks } from '../../../src/database/charge-looks.ts'
import { findCharge, takeCharges } from '../../../src/database/charges.ts'
import type { Engine } from '../../../src/database/engine.ts'
import { createLeases } from '../../../src/database/leases.ts'
import { findReconciliation } from '../../../src/database/reconciliations.ts'
import { listRefunds } from '../../../src/database/refunds.ts'
import { readTimeline } from '../../../src/database/timeline.ts'
import { tablesOf } from '../../../src/plugins/database.ts'
import { moneyHoldsIn } from '../../support/money.ts'
import { aBooking } from '../../support/samples.ts'
import { fakeSystem } from '../../support/system.ts'

const charge = 'ch_1'
const bookingId = 'bkg_1'
let worlds = 0
let holders = 0

type Tables = RefundTables & ReconciliationTables

/** The process is no more. */
export class Death extends Error {}

export type World = Awaited<ReturnType<typeof worldOf>>

/** A tenant with a canceled booking that was paid with a charge of 100, and a Stripe of a few lines. */
export async function worldOf({ db, transaction }: Engine) {
  const tenantId = `tenant_${++worlds}`
  await sql`insert into tenants (id, name) values (${tenantId}, ${tenantId})`.execute(db)
  const system = { ...fakeSystem(Date.now()), id: randomUUID }
  const stripe = littleStripe()
  const inTables = <T>(work: (tables: Tables) => Promise<T>) =>
    transaction((tx) => work(tablesOf(tx, system)))
  const reads = { ...readChargeLooks(db), takeCharges: takeCharges.bind(undefined, db) }
  const errors: string[] = []
  const log = {
    warn: (_fields: object, phrase: string) => void errors.push(phrase),
    error: (_fields: object, phrase: string) => void errors.push(phrase)
  }
  const looks = createChargeLooks({ system, transact: inTables, reads, payments: stripe.payments, log })
  const booking = aBooking({
    ...{ id: bookingId + worlds, tenantId, status: 'canceled' },
    payment: { provider: 'stripe', paymentIntent: 'pi_1', charge: paidWith(stripe.charge) }
  })
  await inTables(async (tables) => {
    await tables.bookings.insert(booking)
    const owner = { tenantId, bookingId: booking.id }
    await openCharge(tables, owner, stripe.charge, { lookedAt: system.now() - 1, now: system.now() })
  })

  /** As a process that dies after so many commits. */
  const life = { commitsLeft: Number.POSITIVE_INFINITY }
  const transact = async <T>(work: (tables: Tables) => Promise<T>): Promise<T> => {
    if (life.commitsLeft <= 0) throw new Death()
    const result = await transaction((tx) => work(tablesOf(tx, system)))
    life.commitsLeft--
    return result
  }
  const compare = createStripeReconciliation({
    ...{ system, transact, reads, log },
    ...{ payments: stripe.payments, looks }
  })
  const leases = createLeases(db)

  const world = {
    ...{ life, reads },
    async queue(range: ReconciliationRange = {}): Promise<Reconciliation> {
      const wanted = { tenantId, kind: 'stripe', trigger: 'request', ...range } as const
      return inTables((tables) => requestReconciliation(tables, system, wanted))
    },
    async takeLease(): Promise<number> {
      await sql`update leases set expires_at = '-infinity'`.execute(db)
      const epoch = await leases.take(reconciliationLeases.stripe, `replica ${++holders}`, 60_000)
      if (epoch === undefined) throw new Error('the lease is taken')
      return epoch
    },
    /** To its end, or to the death of the process. */
    async run({ id }: Pick<Reconciliation, 'id'>, epoch?: number): Promise<Reconciliation> {
      const of = await findReconciliation(db, tenantId, id)
      if (!of) throw new Error(`${id} is gone`)
      await compare(of, epoch ?? (await world.takeLease()), new AbortController().signal).catch((error) => {
        if (!(error instanceof Death)) throw error
      })
      return (await findReconciliation(db, tenantId, id)) ?? of
    },
    ...{ tenantId, system, stripe, inTables, looks, errors },
    /** A second later than whatever was before. */
    async look() {
      await system.sleep(1_000)
      return looks.look(tenantId, charge)
    },
    /** One of ours, as far as that. */
    async refund(amount: number, ...steps: RefundStatus[]): Promise<Refund> {
      return inTables(async (tables) => {
        const locked = await tables.charges.lock(tenantId, charge)
        if (!locked) throw new Error('there is no charge')
        const due = {
          amount,
          currency: 'usd',
          rule: 'amount',
          policy: { name: 'default', version: 1 }
        } as const
        const task = { trigger: 'manual' } as const
        const made = { booking, charge: locked, due, task, needsApproval: false, system, now: system.now() }
        let refund = await createRefund(tables, made)
        if (!refund) throw new Error('so much is not left')
        for (const status of steps)
          refund = await changeRefund(tables, refund, system.now(), { status }, 60_000)
        return refund
      })
    },
    refunds: () => listRefunds(db, tenantId, { limit: 50 }),
    async read() {
      const found = await findCharge(db, tenantId, charge)
      if (!found) throw new Error('there is no charge')
      return found
    },
    booking: (): Promise<Booking | undefined> => findBooking(db, tenantId, booking.id),
    async timeline(): Promise<string[]> {
      return (await readTimeline(db, tenantId, booking.id)).map(({ type }) => type)
    },
    /** Types, by subject. */
    async events(subject: string): Promise<string[]> {
      const { rows } = await sql<{ type: string }>`select type from events
        where tenant_id = ${tenantId} and subject = ${subject} order by sequence`.execute(db)
      return rows.map(({ type }) => type)
    },
    /** The source of each event, in order. */
    async toldBy(): Promise<string[]> {
      const { rows } = await sql<{ body: Buffer }>`select body from events
        where tenant_id = ${tenantId} order by written`.execute(db)
      return rows.map(({ body }) => String(JSON.parse(Buffer.from(body).toString()).source))
    },
    /** Minutes until it is to be read again, by the database's clock. */
    async dueInMinutes(): Promise<number | undefined> {
      const { rows } = await sql<{ minutes: number | null }>`
        select extract(epoch from look_at - now())::float8 / 60 as minutes from charges
        where tenant_id = ${tenantId}`.execute(db)
      const minutes = rows[0]?.minutes ?? undefined
      return minutes === undefined ? undefined : Math.round(minutes * 10) / 10
    },
    makeDue: () => sql`update charges set look_at = now() where tenant_id = ${tenantId}`.execute(db),
    holds: (t: Test) => moneyHoldsIn(t, { transaction }, { now: system.now(), tenantId })
  }
  return world
}

const paidWith = ({ id, captured: amount, currency }: ChargeFact) => ({
  ...{ id, amount, currency, refundedAmount: 0 }
})

/** It knows one charge and what was refunded of it. */
function littleStripe() {
  const fact: ChargeFact = {
    ...{ id: charge, paymentIntent: 'pi_1', currency: 'usd', captured: 100, refunded: 0 },
    ...{ isPaid: true, livemode: false }
  }
  const refunds: StripeRefundFact[] = []
  const others: StripeRefundFact[] = []
  const windows: { from: number; to: number }[] = []
  const stripe = {
    charge: fact,
    refunds,
    isAway: false,
    isForgetful: false,
    /** Runs while an answer is on its way. */
    meanwhile: async () => {},
    /** Each listing of what was made in a range. */
    windows,
    refund(
      id: string,
      amount: number,
      status: StripeRefundStatus,
      refundId?: string,
      createdAt = Date.now()
    ) {
      refunds.push({ id, charge, amount, currency: 'usd', status, refundId, createdAt })
      count()
    },
    /** Of what was paid for something else than a booking. */
    refundOf(charge: string, id: string) {
      others.push({ id, charge, amount: 7, currency: 'usd', status: 'succeeded', createdAt: Date.now() })
    },
    become(id: string, status: StripeRefundStatus, failureReason?: string) {
      const at = refunds.findIndex((refund) => refund.id === id)
      const known = refunds[at]
      if (known) refunds[at] = { ...known, status, failureReason }
      count()
    },
    payments: {
      isConfigured: true,
      findCharge: () => answer(() => (stripe.isForgetful ? undefined : { ...fact })),
      listRefunds: () => answer(() => (stripe.isForgetful ? [] : [...refunds])),
      listDisputedBetween: () => answer(() => (fact.dispute ? [fact.id] : [])),
      listRefundsBetween: (from: number, to: number) =>
        answer(() => {
          windows.push({ from, to })
          return [...refunds, ...others].filter(({ createdAt }) => from <= createdAt && createdAt < to)
        })
    }
  }
  return stripe

  function count() {
    const live = refunds.filter(({ status }) => status !== 'failed' && status !== 'canceled')
    fact.refunded = live.reduce((sum, { amount }) => sum + amount, 0)
  }

  /** What was so when it was asked. */
  async function answer<T>(read: () => T): Promise<T> {
    if (stripe.isAway) throw new AppError('stripe_unavailable')
    const answered = read()
    await stripe.meanwhile()
    return answered
  }
}
