import { standard } from '../../../src/sandbox/standard.ts'
import type { Answer } from '../../support/service.ts'
import { allBookings, freeTimes } from './bookings.ts'
import type { Replicas, Service } from './service.ts'
import type { Stage } from './stage.ts'
import { untilSubscribed } from './webhooks.ts'

type Body = Answer['body']

const secret = 'whsec_sandbox_of_an_experiment'
const eventType = standard.eventTypes.thirtyMinutes
/** From there on all is given back to whoever cancels, however far the sandbox's clock is ahead. */
const noticeMs = 2 * 86_400_000

/** Wants to pay `amount` in minor units on Calendly's page, and how that then speaks of the payment. */
export type Wish = { startTime: string; amount: number; reference?: 'charge' | 'payment_intent' }
/** Has paid: `invitee` is where it stands at Calendly, `charge` Stripe's. */
export type Payer = { email: string; amount: number; invitee: string; charge: string }

/** As many replicas as the engine allows, behind one address that Calendly and Stripe send their webhooks to. */
export async function startPaid(stage: Stage): Promise<Replicas> {
  const env = { ...stage.stripe, STRIPE_WEBHOOK_SECRET: secret }
  const first = await stage.start({ webhooks: true, env })
  await stage.control('POST', '/stripe/webhooks', { url: `${first.address}/api/webhooks/stripe`, secret })
  await untilSubscribed(stage)
  if (stage.engine === 'embedded') return [first]
  return [first, await stage.start({ env: { ...env, PUBLIC_URL: first.address } })]
}

/** Free half hours some days away, soonest first. */
export async function distantTimes(stage: Stage, service: Service): Promise<string[]> {
  const times = await freeTimes(stage, service, eventType)
  return times.filter((time) => Date.parse(time) > Date.now() + noticeMs)
}

/** Somebody books and pays for each of them on Calendly's page. */
export async function pay(stage: Stage, wishes: readonly Wish[]): Promise<Payer[]> {
  const paid: (Omit<Payer, 'charge'> & { reference: string })[] = []
  for (const { startTime, amount, reference = 'charge' } of wishes) {
    const email = `payer-${Date.parse(startTime)}@example.com`
    const { invitee } = await stage.control('POST', '/book', {
      ...{ event_type: eventType, start_time: startTime, email },
      payment: { amount, reference }
    })
    paid.push({ email, amount, invitee: invitee.uri, reference: invitee.payment.external_id })
  }
  const { charges } = await stage.control('GET', '/stripe/state')
  return paid.map(({ reference, ...payer }) => ({
    ...payer,
    charge: charges.find(({ id, payment_intent }: Body) => [id, payment_intent].includes(reference)).id
  }))
}

/** The bookings once the service has read all of their charges from Stripe. */
export function untilCharged(stage: Stage, service: Service, payers: readonly Payer[]): Promise<Body[]> {
  return stage.until(
    'every charge is known',
    () => allBookings(stage, service),
    (found) => payers.every(({ charge }) => found.some(({ payment }) => payment?.charge === charge))
  )
}

/** What Stripe has refunded. */
export async function refundsAtStripe(stage: Stage): Promise<Body[]> {
  return (await stage.control('GET', '/stripe/state')).refunds
}

/** Every refund that the service has. */
export async function allRefunds(stage: Stage, { address }: Service): Promise<Body[]> {
  const found: Body[] = []
  let cursor: string | null = null
  do {
    const query = new URLSearchParams({ limit: '200', ...(cursor !== null && { cursor }) })
    const { body }: Answer = await stage.ask(`${address}/api/v1/refunds?${query}`)
    found.push(...body.data)
    cursor = body.next_cursor
  } while (cursor !== null)
  return found
}

export const sumOf = (all: readonly { amount: number }[]): number =>
  all.reduce((sum, { amount }) => sum + amount, 0)
