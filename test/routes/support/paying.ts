import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { openSandbox } from '../../../src/sandbox/sandbox.ts'
import type { EngineKind } from '../../support/database.ts'
import { type Answer, openService, type Service, until } from '../../support/service.ts'
import { movableSystem } from '../../support/system.ts'
import { book, eventTypes, freeTimes, hourMs, read, untilSubscribed } from './client.ts'

type Body = Answer['body']
type Env = Record<string, string>
export type Paying = Awaited<ReturnType<typeof openPaying>>

/** The service with a Calendly that sends webhooks and a Stripe, all with one clock that can be set forward. */
export async function openPaying(t: Test, engine: EngineKind, env: Env = {}) {
  const system = movableSystem()
  const sandbox = await openSandbox({ now: system.now })
  t.teardown(() => sandbox.close())
  const stripe = { STRIPE_API_BASE_URL: sandbox.url, STRIPE_SECRET_KEY: sandbox.stripeKeys.restricted ?? '' }
  const service = await openService(t, {
    ...{ engine, system, webhooks: true, sandbox },
    env: { BOOKING_LOOKUP_SECONDS: '0.05', ...stripe, ...env }
  })
  await untilSubscribed(service)
  const { control } = service

  /** A payment intent as it then is, and its charge. */
  async function pay(amount = 5_000, fields: object = {}): Promise<{ intent: string; charge: string }> {
    const { payment_intent, charge } = await control('POST', '/stripe/payments', { amount, ...fields })
    return { intent: payment_intent.id, charge: charge?.id }
  }

  const world = {
    ...{ service, system, pay },
    mode: (mode: object) => control('POST', '/webhooks/mode', mode),
    /** Calendly does the next thing of that kind and its answer is lost. */
    lose: (path: string) =>
      control('POST', '/faults', { match: { method: 'POST', path }, kind: 'drop_after', times: 1 }),
    /** Stripe cannot be reached until it is `back`. */
    away: () => control('POST', '/faults', { match: { path: '/v1/*' }, kind: 'drop_before' }),
    back: () => control('DELETE', '/faults'),
    /** Sets the clock so many hours before a start, never back. */
    moveBefore: (start: string, hours: number) =>
      system.moveTo(Math.max(system.now(), Date.parse(start) - hours * hourMs)),

    /** Booked with 50 dollars paid before. Then it is so many hours before its start. */
    async paid(hours = 48, fields: object = {}) {
      const { intent, charge } = await pay()
      const payment = { provider: 'stripe', payment_intent: intent }
      const { body: booking } = await book(service, { payment, ...fields })
      world.moveBefore(booking.start_time, hours)
      return { id: String(booking.id), charge }
    },

    /** The same on Calendly's own page; `undefined` where Stripe has no charge of it. */
    async paidOnPage(hours = 48, payment: object = {}) {
      const [start_time = ''] = await freeTimes(service)
      const email = `${randomUUID()}@example.com`
      const { invitee } = await control('POST', '/book', {
        ...{ event_type: eventTypes.thirtyMinutes, start_time, email },
        payment: { amount: 5_000, ...payment }
      })
      const { body } = await until(
        () => service.call('GET', `/api/v1/bookings?invitee_email=${email}`),
        ({ body }) => body.data.length === 1
      )
      world.moveBefore(start_time, hours)
      const { charges }: { charges: Body[] } = await control('GET', '/stripe/state')
      const reference = invitee.payment.external_id
      const charge = charges.find(({ id, payment_intent }) => [id, payment_intent].includes(reference))
      return { id: String(body.data[0].id), charge: charge?.id as string | undefined }
    },

    async inviteeOf(id: string): Promise<string> {
      return (await read(service, id)).body.calendly.invitee
    },

    /** What Stripe has refunded of a charge, or of all, in amounts. */
    async refunded(of?: string): Promise<number[]> {
      const { refunds }: { refunds: Body[] } = await control('GET', '/stripe/state')
      return refunds.filter(({ charge }) => of === undefined || charge === of).map(({ amount }) => amount)
    },

    /** The refunds of a booking once there is one and all are done. */
    untilRefunded: (id: string): Promise<Body[]> =>
      until(
        () => refundsOf(service, id),
        (refunds) => refunds.length > 0 && refunds.every(({ status }) => status === 'succeeded')
      )
  }
  return world
}

export async function refundsOf({ call }: Service, id: string): Promise<Body[]> {
  return (await call('GET', `/api/v1/refunds?booking_id=${id}`)).body.data
}

/** Why nothing was refunded, as the timeline says. */
export async function reasonsOf({ call }: Service, id: string): Promise<string[]> {
  const { body } = await call('GET', `/api/v1/bookings/${id}/timeline`)
  return body.data
    .filter(({ type }: Body) => type === 'refund_not_due')
    .map(({ detail }: Body) => detail.reason)
}
