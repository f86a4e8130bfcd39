import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { createCursors } from '../../../src/core/cursor.ts'
import { AppError } from '../../../src/core/errors.ts'
import type {
  StripeRefundFact,
  StripeRefundOutcome,
  StripeRefundRequest,
  StripeRefundStatus
} from '../../../src/core/payments.ts'
import type { Refund } from '../../../src/core/refund.ts'
import { createRefundSubmission } from '../../../src/core/refund-submission.ts'
import type { RefundTables } from '../../../src/core/refund-tables.ts'
import { createRefunds } from '../../../src/core/refunds.ts'
import { createTurns } from '../../../src/core/turns.ts'
import { findCharge } from '../../../src/database/charges.ts'
import type { Engine } from '../../../src/database/engine.ts'
import { findRefund, listRefunds } from '../../../src/database/refunds.ts'
import { tablesOf } from '../../../src/plugins/database.ts'
import { Death, worldOf } from './looking.ts'

export const absenceMs = 15_000

/** What becomes of a POST that is not answered at once. */
export type Turn =
  | 'lost before it was done'
  | 'lost after it was done'
  | 'lost while it is done, which shows only after the next look'
  | 'failed and kept, with nothing done'
  | 'failed and kept, though it was done'
  | 'refused'
  /** Whatever was answered under the key before. */
  | 'refused anew'
  | 'not done'
  | 'key in use'

export type Refunding = Awaited<ReturnType<typeof refundingOn>>

/** A canceled booking that was paid with 100, a Stripe that keeps idempotency keys, and processes that may die anywhere. */
export async function refundingOn(engine: Engine, turns: readonly Turn[] = []) {
  const world = await worldOf(engine)
  const { system, tenantId } = world
  const stripe = refundingStripe(world.stripe.charge.id, turns)
  /** Steps until the process dies: of the database, and of Stripe. */
  const life = { stepsLeft: Number.POSITIVE_INFINITY }

  async function step<T>(take: () => Promise<T>): Promise<T> {
    if (life.stepsLeft-- <= 0) throw new Death()
    const taken = await take()
    if (life.stepsLeft-- <= 0) throw new Death()
    return taken
  }

  async function survives(work: Promise<unknown>): Promise<boolean> {
    try {
      await work
      return true
    } catch (error) {
      if (error instanceof Death) return false
      throw error
    }
  }

  const transact = <T>(work: (tables: RefundTables) => Promise<T>) =>
    step(() => engine.transaction((tx) => work(tablesOf(tx, system))))

  /** As one more process has it. */
  function open() {
    return createRefundSubmission({
      ...{ system, absenceMs, transact, inTurn: createTurns() },
      payments: {
        refund: (request) => step(() => stripe.post(request)),
        listRefunds: () => step(() => stripe.list()),
        findRefund: (id) => step(async () => (await stripe.list()).find((one) => one.id === id))
      },
      log: { warn: () => {}, error: () => {} }
    })
  }

  /** What a caller may ask of one more process. */
  function openRefunds() {
    return createRefunds({
      ...{ system, transact, inTurn: createTurns(), needsApproval: false },
      cursors: createCursors(randomBytes(32), undefined),
      submission: open(),
      reads: {
        find: findRefund.bind(undefined, engine.db),
        list: listRefunds.bind(undefined, engine.db),
        findCharge: findCharge.bind(undefined, engine.db)
      },
      paidBookings: {
        read: () =>
          step(async () => {
            const booking = await world.booking()
            if (!booking) throw new Error('there is no booking')
            await stripe.meanwhile()
            return { booking, fact: { ...world.stripe.charge }, lookedAt: system.now() }
          })
      }
    })
  }

  return {
    ...{ world, stripe, open, openRefunds, survives },
    /** One process begins and goes on until it dies of it; what is left others do, who do not. Whether none had to. */
    async carry(begin: () => Promise<unknown>, stepsLeft = Number.POSITIVE_INFINITY): Promise<boolean> {
      life.stepsLeft = stepsLeft
      let isAlive = await survives(begin())
      for (let turn = 0; turn < 30; turn++) {
        if (!isAlive) life.stepsLeft = Number.POSITIVE_INFINITY
        const { rows } = await sql`update refunds set resolve_at = now()
          where tenant_id = ${tenantId} and resolve_at is not null returning id`.execute(engine.db)
        if (rows.length === 0) return isAlive
        await system.sleep(absenceMs)
        isAlive = (await survives(open().workNext())) && isAlive
      }
      throw new Error('it does not come to an end')
    },
    async only(): Promise<Refund> {
      const [refund] = await world.refunds()
      if (!refund) throw new Error('there is none')
      return refund
    },
    /** Stripe's side is shown to the looks at charges, so that every sum can be compared. */
    async look(): Promise<void> {
      world.stripe.refunds.splice(0, Number.POSITIVE_INFINITY, ...stripe.refunds)
      const live = stripe.refunds.filter(({ status }) => status !== 'failed' && status !== 'canceled')
      world.stripe.charge.refunded = live.reduce((sum, { amount }) => sum + amount, 0)
      await world.look()
    }
  }
}

const refusal = { kind: 'refused', code: 'charge_disputed', detail: 'No.' } as const

/** As Stripe has it: what was answered under a key is answered again, failures too, but for what never began. */
function refundingStripe(charge: string, turns: readonly Turn[]) {
  const waiting = [...turns]
  const refunds: StripeRefundFact[] = []
  const kept = new Map<string, StripeRefundOutcome>()
  const posts: string[] = []
  const hidden: (() => void)[] = []
  const stripe = {
    refunds,
    /** The key of each POST that arrived. */
    posts,
    isAway: false,
    status: 'succeeded' as StripeRefundStatus,
    /** Runs while an answer is on its way. */
    meanwhile: async () => {},

    async post(request: StripeRefundRequest): Promise<StripeRefundOutcome> {
      const answer = answerTo(request)
      await stripe.meanwhile()
      return answer
    },

    async list(): Promise<readonly StripeRefundFact[]> {
      if (stripe.isAway) throw new AppError('stripe_unavailable')
      const seen = [...refunds]
      for (const done of hidden.splice(0)) done()
      return seen
    }
  }
  return stripe

  function answerTo(request: StripeRefundRequest): StripeRefundOutcome {
    const turn = waiting.shift()
    if (turn === 'not done') return { kind: 'not_done', detail: 'no way' }
    const lost = { kind: 'ambiguous', cause: new Error(turn) } as const
    if (turn === 'lost before it was done' || turn === 'key in use') return lost
    posts.push(request.key)
    if (turn === 'lost while it is done, which shows only after the next look') {
      hidden.push(() => execute(request))
      return lost
    }
    if (turn === 'refused anew') return refusal
    const answer = kept.get(request.key) ?? execute(request, turn)
    return turn === 'lost after it was done' ? lost : answer
  }

  function execute(request: StripeRefundRequest, turn?: Turn): StripeRefundOutcome {
    const { key, amount, refundId } = request
    const known = kept.get(key)
    if (known) return known
    const outcome = outcomeOf(turn)
    kept.set(key, outcome)
    return outcome

    function outcomeOf(turn?: Turn): StripeRefundOutcome {
      if (turn === 'refused') return refusal
      if (turn === 'failed and kept, with nothing done')
        return { kind: 'ambiguous', cause: 500, isKept: true }
      const { status } = stripe
      const id = `re_${refunds.length + 1}`
      const refund = { id, charge, amount, currency: 'usd', status, refundId, createdAt: Date.now() }
      refunds.push(refund)
      if (turn === 'failed and kept, though it was done')
        return { kind: 'ambiguous', cause: 500, isKept: true }
      return { kind: 'done', refund }
    }
  }
}
