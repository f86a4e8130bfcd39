import type Stripe from 'stripe'
import { AppError } from '../core/errors.ts'
import type { ChargeFact, Payments, StripeRefundFact } from '../core/payments.ts'
import { createSharing } from '../core/sharing.ts'
import type { StripeEndpoint } from '../core/stripe-health.ts'
import type { System } from '../core/system.ts'
import { type Ask, type Call, isMissing } from './call.ts'
import { chargeFact, idOf, mayHoldRelease, refundFact } from './facts.ts'

const pageSize = 100

type Deps = { stripe: Stripe; call: Call; livemode: boolean; system: Pick<System, 'now'> }

type Page<T> = { data: T[]; has_more: boolean }
/** What a page is asked for with, besides its filter. */
type Turn = { limit: number; starting_after?: string }

/** Everything that is read of Stripe. Whoever asks the same while an answer is under way shares the one after it. */
export function createReads({ stripe, call, livemode, system }: Deps) {
  const charges = createSharing<ChargeFact | undefined>()
  const intents = createSharing<string | undefined>()
  const refunds = createSharing<StripeRefundFact | undefined>()
  const refundLists = createSharing<readonly StripeRefundFact[]>()

  /** Undefined where Stripe knows no such thing. */
  async function find<T>(endpoint: StripeEndpoint, ask: Ask<T>, startedAt: number): Promise<T | undefined> {
    try {
      return await call.read(endpoint, ask, startedAt)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** All pages, newest first as Stripe has them; each has a deadline of its own, but the first. */
  async function list<T extends { id: string }>(
    endpoint: StripeEndpoint,
    ask: (turn: Turn, options: Parameters<Ask<T>>[0]) => Promise<Page<T>>,
    startedAt: number
  ): Promise<T[]> {
    const found: T[] = []
    try {
      for (let hasMore = true; hasMore; ) {
        const last = found.at(-1)?.id
        const turn = { limit: pageSize, ...(last !== undefined && { starting_after: last }) }
        const begunAt = last === undefined ? startedAt : system.now()
        const page = await call.read(endpoint, (options) => ask(turn, options), begunAt)
        found.push(...page.data)
        hasMore = page.has_more && page.data.length > 0
      }
    } catch (error) {
      // Nothing listed would pass for nothing there.
      if (isMissing(error)) throw new AppError('stripe_unavailable', undefined, { cause: error })
      throw error
    }
    return found
  }

  async function readCharge(reference: string, startedAt: number): Promise<ChargeFact | undefined> {
    const charge = reference.startsWith('pi_')
      ? await readLatestCharge(reference, startedAt)
      : await find('charge', (options) => stripe.charges.retrieve(reference, {}, options), startedAt)
    if (!charge || charge.livemode !== livemode) return undefined
    const disputes = await list(
      'disputes',
      (turn, options) => stripe.disputes.list({ charge: charge.id, ...turn }, options),
      startedAt
    )
    const made = mayHoldRelease(charge) ? await readRefunds({ charge: charge.id }, startedAt) : []
    return chargeFact(charge, disputes, made)
  }

  async function readLatestCharge(intentId: string, startedAt: number): Promise<Stripe.Charge | undefined> {
    const asked = { expand: ['latest_charge'] }
    const intent = await find(
      'payment_intent',
      (options) => stripe.paymentIntents.retrieve(intentId, asked, options),
      startedAt
    )
    const charge = intent?.latest_charge
    return typeof charge === 'object' ? (charge ?? undefined) : undefined
  }

  async function readRefunds(
    filter: Stripe.RefundListParams,
    startedAt: number
  ): Promise<readonly StripeRefundFact[]> {
    const found = await list(
      'refunds',
      (turn, options) => stripe.refunds.list({ ...filter, ...turn }, options),
      startedAt
    )
    return found
      .map(refundFact)
      .filter((fact) => fact !== undefined)
      .reverse()
  }

  return {
    async findCharge(reference) {
      if (!/^(ch|py|pi)_\w{1,250}$/.test(reference)) return undefined
      const startedAt = system.now()
      return charges(reference, () => readCharge(reference, startedAt))
    },

    async findIntentStatus(intentId) {
      if (!/^pi_\w{1,250}$/.test(intentId)) return undefined
      const startedAt = system.now()
      return intents(intentId, async () => {
        const intent = await find(
          'payment_intent',
          (options) => stripe.paymentIntents.retrieve(intentId, {}, options),
          startedAt
        )
        return intent?.livemode === livemode ? intent.status : undefined
      })
    },

    async findRefund(id) {
      if (!/^(re|pyr)_\w{1,250}$/.test(id)) return undefined
      const startedAt = system.now()
      return refunds(id, async () => {
        const found = await find('refund', (options) => stripe.refunds.retrieve(id, {}, options), startedAt)
        return found && refundFact(found)
      })
    },

    listRefunds(charge) {
      const startedAt = system.now()
      return refundLists(charge, () => readRefunds({ charge }, startedAt))
    },

    listRefundsBetween(from, to) {
      return readRefunds({ created: between(from, to) }, system.now())
    },

    async listDisputedBetween(from, to) {
      const created = between(from, to)
      const found = await list(
        'disputes',
        (turn, options) => stripe.disputes.list({ created, ...turn }, options),
        system.now()
      )
      return [...new Set(found.flatMap(({ charge }) => idOf(charge) ?? []))]
    }
  } satisfies Partial<Payments>
}

/** Stripe counts in seconds. */
const between = (from: number, to: number) => ({
  gte: Math.floor(from / 1000),
  lte: Math.floor(to / 1000)
})
