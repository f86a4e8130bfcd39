import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept } from '../../accept.ts'
import { notFound } from '../../errors.ts'
import { micros } from '../../identifiers.ts'
import type { Account } from '../account.ts'
import { type Charge, counts, type Refund, refundedOf } from '../records.ts'
import { chargeBody, disputeBody, intentBody, refundBody } from '../render.ts'
import type { Stripe } from '../stripe.ts'

const refundStatus = z.enum(['pending', 'requires_action', 'succeeded', 'failed', 'canceled'])
const minor = z.int().min(1).max(99_999_999_999)
const metadata = z.record(z.string(), z.string())

const paymentSchema = z.strictObject({
  amount: minor,
  currency: z
    .string()
    .regex(/^[a-z]{3}$/)
    .default('usd'),
  captured: z.int().min(0).optional(),
  status: z
    .enum(['succeeded', 'failed', 'processing', 'requires_capture', 'requires_payment_method', 'canceled'])
    .default('succeeded'),
  account: z.string().startsWith('acct_').optional(),
  livemode: z.boolean().default(false),
  metadata: metadata.default({})
})

const courseSchema = z.strictObject({
  status: refundStatus.default('succeeded'),
  failure_reason: z.string().optional(),
  /** By the sandbox's clock, counted from when the refund is made. */
  turns: z
    .array(
      z.strictObject({
        status: refundStatus,
        after_seconds: z.number().min(0),
        failure_reason: z.string().optional()
      })
    )
    .default([]),
  times: z.int().min(1).optional()
})

const turnSchema = z.strictObject({ status: refundStatus, failure_reason: z.string().optional() })
const refundSchema = z.strictObject({
  charge: z.string(),
  amount: minor.optional(),
  reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
  metadata: metadata.default({})
})
const captureSchema = z.strictObject({ charge: z.string(), amount: minor })
const disputeSchema = z.strictObject({
  charge: z.string(),
  amount: minor.optional(),
  reason: z.string().default('fraudulent'),
  status: z.enum(['needs_response', 'warning_needs_response']).default('needs_response')
})
const closeSchema = z.strictObject({ status: z.enum(['won', 'lost', 'warning_closed', 'under_review']) })

/** People pay, banks answer, somebody uses the dashboard. */
export function money(app: FastifyInstance, { account, settle }: Stripe) {
  const chargeOf = (id: string): Charge => found(account.charges.get(id) ?? account.intents.get(id)?.charge)

  app.post('/payments', async (request, reply) => {
    const intent = account.pay(accept(paymentSchema, request.body))
    reply.code(201)
    return { payment_intent: intentBody(intent), charge: intent.charge ? chargeBody(intent.charge) : null }
  })

  app.post('/capture', async (request) => {
    const { charge, amount } = accept(captureSchema, request.body)
    account.capture(chargeOf(charge), amount)
    return chargeBody(chargeOf(charge))
  })

  app.post('/course', async (request) => {
    const course = accept(courseSchema, request.body)
    account.setCourse(course)
    return course
  })

  app.post('/refunds', async (request, reply) => {
    const { charge, ...wish } = accept(refundSchema, request.body)
    reply.code(201)
    return refundBody(account.refund(chargeOf(charge), wish))
  })

  app.post('/refunds/:id', async (request) => {
    const refund = found(account.refunds.get((request.params as { id: string }).id))
    const { status, failure_reason: failureReason } = accept(turnSchema, request.body)
    account.turn(refund, status, { failureReason })
    return refundBody(refund)
  })

  app.post('/disputes', async (request, reply) => {
    const { charge, ...wish } = accept(disputeSchema, request.body)
    reply.code(201)
    return disputeBody(account.dispute(chargeOf(charge), wish))
  })

  app.post('/disputes/:id', async (request) => {
    const dispute = found(account.disputes.get((request.params as { id: string }).id))
    account.closeDispute(dispute, accept(closeSchema, request.body).status)
    return disputeBody(dispute)
  })

  app.get('/state', async () => {
    settle()
    return {
      payment_intents: Array.from(account.intents.values(), intentBody),
      charges: Array.from(account.charges.values(), chargeBody),
      refunds: Array.from(account.refunds.values(), refundBody),
      disputes: Array.from(account.disputes.values(), disputeBody)
    }
  })

  app.get('/journal', async () => {
    settle()
    return journalOf(account)
  })
}

/** Who made each refund and what it has been, and what all of a charge come to. */
function journalOf({ charges, refunds }: Account) {
  return {
    refunds: Array.from(refunds.values(), madeBody),
    charges: Array.from(charges.values(), (charge) => ({
      charge: charge.id,
      captured: charge.captured,
      refunded: refundedOf(charge),
      refunds: charge.refunds.length,
      counted: charge.refunds.filter(counts).length
    }))
  }
}

const madeBody = ({ id, charge, amount, status, metadata, by, history }: Refund) => ({
  ...{ id, charge: charge.id, amount, status, metadata },
  made_by: by.request === null ? 'dashboard' : 'api',
  request: by.request,
  idempotency_key: by.key,
  history: history.map(({ status, at }) => ({ status, at: micros(at) }))
})

function found<T>(record: T | undefined): T {
  if (record === undefined) throw notFound()
  return record
}
