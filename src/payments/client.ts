import Stripe from 'stripe'
import { AppError } from '../core/errors.ts'
import type { Payments, StripeRefundOutcome, StripeRefundRequest } from '../core/payments.ts'
import type { StripeReport } from '../core/stripe-health.ts'
import { describeStripeKey } from '../core/stripe-key.ts'
import type { System } from '../core/system.ts'
import { createBreaker } from './breaker.ts'
import { type Call, createCall, type Deadlines } from './call.ts'
import { ExchangeError } from './errors.ts'
import { refundFact } from './facts.ts'
import { openHttp } from './http.ts'
import { createMeter } from './meter.ts'
import { notDone, refundOutcomeOf } from './outcomes.ts'
import { createReads } from './reads.ts'

/** Whose shapes are read here. An account's own version does not matter. */
const apiVersion = '2026-10-28.endive'

export type PaymentsOptions = {
  /** May have a path, such as that of a proxy. */
  baseUrl: string
  /** Without it nothing can be read or refunded. */
  secretKey?: string | undefined
  /** Of the service. */
  version: string
  system: Pick<System, 'now' | 'sleep' | 'random'>
  log: Record<'debug' | 'warn', (fields: object, phrase: string) => void>
  /** Ten seconds in all, unless a test cannot wait. */
  deadlines?: Deadlines | undefined
}

/** Stripe, asked through its own library over connections of ours, or nothing where no key is configured. */
export function openPayments(options: PaymentsOptions) {
  const { baseUrl, secretKey, version, system, log, deadlines } = options
  const { kind, livemode } = describeStripeKey(secretKey)
  const meter = createMeter()
  const breakers = {
    reads: createBreaker('reads', { now: system.now, log }),
    refunds: createBreaker('refunds', { now: system.now, log })
  }
  const http = openHttp(baseUrl)
  const call = createCall({ system, breakers, meter, log, deadlines })

  function configured(key: string): Payments {
    const stripe = new Stripe(key, {
      apiVersion,
      appInfo: { name: 'calendly-gateway', version },
      httpClient: http.client,
      maxNetworkRetries: 0,
      telemetry: false
    })
    return {
      isConfigured: true,
      livemode,
      ...createReads({ stripe, call, livemode, system }),
      refund: (request) => refund(stripe, call, request)
    }
  }

  return {
    ...(secretKey === undefined ? unconfigured : configured(secretKey)),
    report: (): StripeReport => ({
      isConfigured: secretKey !== undefined,
      livemode,
      key: kind,
      apiVersion,
      ...meter.report(),
      ...(secretKey === undefined && { status: undefined }),
      breakers: Object.values(breakers).map(({ report }) => report())
    }),
    close: http.close
  }
}

export type OpenPayments = ReturnType<typeof openPayments>

/** Sent once. The parameters follow from the request alone: the same key must never come with others. */
async function refund(
  stripe: Stripe,
  call: Call,
  { charge, amount, key, refundId, bookingId }: StripeRefundRequest
): Promise<StripeRefundOutcome> {
  const parameters = { charge, amount, metadata: { refund_id: refundId, booking_id: bookingId } }
  try {
    const made = await call.write('create_refund', (options) =>
      stripe.refunds.create(parameters, { ...options, idempotencyKey: key })
    )
    const fact = refundFact(made)
    if (fact) return { kind: 'done', refund: fact }
    return { kind: 'ambiguous', cause: new ExchangeError('The answer is no refund', { wasSent: true }) }
  } catch (error) {
    return refundOutcomeOf(error)
  }
}

const missing = () => new AppError('stripe_unavailable', 'No key of Stripe is configured')
const refuse = async () => {
  throw missing()
}

const unconfigured: Payments = {
  isConfigured: false,
  livemode: false,
  findCharge: refuse,
  findIntentStatus: refuse,
  findRefund: refuse,
  listRefunds: refuse,
  listRefundsBetween: refuse,
  listDisputedBetween: refuse,
  refund: async () => notDone(missing())
}
