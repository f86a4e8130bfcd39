import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { openSandbox } from '../../../src/sandbox/sandbox.ts'
import type { EngineKind } from '../../support/database.ts'
import { type Answer, openService, type Service, until } from '../../support/service.ts'
import { movableSystem } from '../../support/system.ts'
import { book, read } from './client.ts'

type Body = Answer['body']
const webhookSecret = 'whsec_sandbox_of_a_test'

export type PaidWorld = Awaited<ReturnType<typeof openPaid>>

/** The service with Calendly's and Stripe's stand-ins on one clock; Stripe's webhooks arrive unless told otherwise. */
export async function openPaid(
  t: Test,
  { engine, env = {}, isTold = true }: { engine: EngineKind; env?: Record<string, string>; isTold?: boolean }
) {
  const system = movableSystem()
  const sandbox = await openSandbox({ now: system.now })
  t.teardown(() => sandbox.close())
  const service = await openService(t, {
    ...{ engine, system, sandbox },
    env: {
      STRIPE_API_BASE_URL: sandbox.url,
      STRIPE_SECRET_KEY: 'rk_test_sandbox',
      STRIPE_WEBHOOK_SECRET: webhookSecret,
      ...env
    }
  })
  const { call, control, address } = service
  const stripe = (method: string, path: string, body?: object): Promise<Body> =>
    control(method, `/stripe${path}`, body)
  if (isTold) {
    const url = `${address}/api/webhooks/stripe`
    await stripe('POST', '/webhooks', { url, secret: webhookSecret })
  }

  return {
    ...{ service, stripe, system },
    /** A booking that was paid with 50 dollars, once that was read from Stripe. */
    async paid(
      payment: object = {},
      fields: object = {}
    ): Promise<{ id: string; charge: string; booking: Body }> {
      const { payment_intent: intent } = await stripe('POST', '/payments', { amount: 5_000, ...payment })
      const made = await book(service, {
        payment: { provider: 'stripe', payment_intent: intent.id },
        ...fields
      })
      if (made.status !== 201) throw new Error(made.text)
      const { body: booking } = await until(
        () => read(service, made.body.id),
        ({ body }) => body.payment.charge !== null
      )
      return { id: booking.id, charge: booking.payment.charge, booking }
    },
    refund: (bookingId: string, fields: object = {}): Promise<Answer> =>
      call('POST', '/api/v1/refunds', {
        idempotencyKey: randomUUID(),
        body: { booking_id: bookingId, ...fields }
      }),
    /** What a comparison with Stripe found, once it is over. */
    async compare(fields: object = {}): Promise<Body> {
      const { status, headers, text } = await call('POST', '/api/v1/reconciliations', {
        body: { kind: 'stripe', ...fields }
      })
      if (status !== 202) throw new Error(text)
      const isOver = ({ body }: Answer) => body.status === 'succeeded' || body.status === 'failed'
      return (await until(() => call('GET', String(headers.location)), isOver)).body
    }
  }
}

/** Of a booking, newest first. */
export const refundsOf = async ({ call }: Service, id: string): Promise<Body[]> =>
  (await call('GET', `/api/v1/refunds?booking_id=${id}`)).body.data

/** The same once each of them is such, and there is one. */
export const untilRefunds = (
  service: Service,
  id: string,
  isSo: (refunds: Body[]) => boolean
): Promise<Body[]> => until(() => refundsOf(service, id), isSo)
