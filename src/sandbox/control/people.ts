import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept, instant, reference, timeZone } from '../accept.ts'
import { openSlots, seatsAt } from '../availability.ts'
import { checkAnswers, firstChoice } from '../choices.ts'
import type { Current } from '../current.ts'
import { ApiError, invalid } from '../errors.ts'
import { answerList, guestList, locationChoice, personOf, trackingSchema } from '../invitation.ts'
import type { Links, Page } from '../links.ts'
import type { Answer, EventType, Invitee, Payment } from '../records.ts'
import { inviteeBody, scheduledEventBody } from '../render-bookings.ts'
import type { Scheduling } from '../scheduling.ts'
import { decimalsOf } from '../stripe/currencies.ts'
import { newId } from '../stripe/records.ts'
import type { Stripe } from '../stripe/stripe.ts'
import { get } from '../world.ts'

const windowMs = 31 * 86_400_000
const horizon = 60
/** Of a paid event type where it is not said, in minor units. */
const usualPrice = 5_000

/** What the page charges, in minor units, and how Calendly then tells of it. */
const paidBody = z.strictObject({
  amount: z.int().min(1),
  currency: z
    .string()
    .regex(/^[a-z]{3}$/)
    .default('usd'),
  provider: z.enum(['stripe', 'paypal']).default('stripe'),
  reference: z.enum(['charge', 'payment_intent']).default('charge'),
  amount_as: z.enum(['number', 'string']).default('number'),
  successful: z.boolean().default(true),
  /** A charge of an account that is not stood in for. */
  foreign: z.boolean().default(false),
  livemode: z.boolean().default(false)
})

/** On the page of an event type, or on that of a link, which may have filled in some of it. */
const bookBody = z.strictObject({
  event_type: reference('event_types').optional(),
  link: z.url().optional(),
  start_time: instant.optional(),
  name: z.string().min(1).optional(),
  email: z.email().optional(),
  timezone: timeZone.default('Etc/UTC'),
  location: locationChoice.optional(),
  questions_and_answers: answerList.optional(),
  tracking: trackingSchema.optional(),
  event_guests: guestList.default([]),
  payment: paidBody.optional()
})

const bookManyBody = z.strictObject({
  event_type: reference('event_types'),
  count: z.int().min(1).max(10_000)
})

const cancelBody = z.strictObject({
  invitee: reference('scheduled_events'),
  by: z.enum(['invitee', 'host']).default('invitee'),
  reason: z.string().max(10_000).nullable().default(null)
})

const rescheduleBody = z.strictObject({
  ...cancelBody.shape,
  start_time: instant,
  payment: z.enum(['none', 'copied']).default('none')
})

type Deps = { current: Current; scheduling: Scheduling; links: Links; stripe: Stripe }

/** What people do on Calendly's own pages. They fill in whatever the page would insist on. */
export function people(app: FastifyInstance, { current, scheduling, links, stripe }: Deps) {
  function pageOf({ event_type, link }: z.output<typeof bookBody>): Page {
    if (link !== undefined) return links.follow(link)
    if (event_type === undefined) throw invalid({ parameter: 'event_type', message: 'is missing' })
    return { eventType: get(current.world.eventTypes, event_type), prefilled: {} }
  }

  function bookOn(
    { eventType, prefilled, onBooked }: Page,
    asked: z.output<typeof bookBody>,
    start = asked.start_time ?? nextStarts(eventType, current.clock.now()).next().value
  ): Invitee {
    if (start === undefined) throw new ApiError(400, { message: 'That host has no time left.' })
    const { name = 'Iris Invitee', email = 'iris@example.com', tracking } = { ...prefilled, ...asked }
    const questions_and_answers = asked.questions_and_answers ?? sampleAnswers(eventType)
    checkAnswers(eventType, questions_and_answers)
    const paid = asked.payment ?? (eventType.is_paid ? accept(paidBody, { amount: usualPrice }) : undefined)
    const invitee = scheduling.book({
      eventType,
      start,
      person: personOf({ name, email, timezone: asked.timezone }, { questions_and_answers, tracking }),
      choice: asked.location ?? firstChoice(eventType),
      guests: asked.event_guests,
      method: null,
      pay: paid && (() => pay(stripe, paid))
    })
    onBooked?.()
    return invitee
  }

  app.post('/book', async (request, reply) => {
    const asked = accept(bookBody, request.body)
    reply.code(201)
    return bothBodies(bookOn(pageOf(asked), asked))
  })

  app.post('/book-many', async (request, reply) => {
    const { event_type, count } = accept(bookManyBody, request.body)
    const eventType = get(current.world.eventTypes, event_type)
    const invitees: Invitee[] = []
    for (const start of nextStarts(eventType, current.clock.now())) {
      const email = `invitee-${invitees.length + 1}@example.com`
      invitees.push(bookOn({ eventType, prefilled: {} }, accept(bookBody, { email }), start))
      if (invitees.length === count) break
    }
    reply.code(201)
    return { invitees: invitees.map(({ uri }) => uri) }
  })

  app.post('/cancel', async (request) => {
    const { invitee: uri, by, reason } = accept(cancelBody, request.body)
    const invitee = get(current.world.invitees, uri)
    const [host] = invitee.event.hosts
    if (by === 'host' && host) scheduling.cancelEvent(invitee.event, host, reason)
    else scheduling.cancelInvitee(invitee, reason)
    return bothBodies(invitee)
  })

  app.post('/reschedule', async (request, reply) => {
    const { invitee: uri, start_time, by, reason, payment } = accept(rescheduleBody, request.body)
    const invitee = get(current.world.invitees, uri)
    reply.code(201)
    return bothBodies(scheduling.reschedule(invitee, start_time, by, reason, payment === 'copied'))
  })
}

function pay({ account }: Stripe, asked: z.output<typeof paidBody>): Payment {
  const { amount, currency, provider, reference, amount_as, successful, foreign, livemode } = asked
  const digits = decimalsOf(currency)
  const major = amount / 10 ** digits
  const told = {
    ...{ provider, amount: amount_as === 'string' ? major.toFixed(digits) : major },
    ...{ currency: currency.toUpperCase(), terms: null, successful }
  }
  if (provider === 'paypal') return { ...told, external_id: newId('PAYID') }
  const prefix = reference === 'charge' ? 'ch' : 'pi'
  if (foreign) return { ...told, external_id: newId(prefix) }
  const status = successful ? 'succeeded' : 'failed'
  const intent = account.pay({ amount, currency, status, livemode })
  return { ...told, external_id: reference === 'charge' ? (intent.charge?.id ?? intent.id) : intent.id }
}

const bothBodies = (invitee: Invitee) => ({
  event: scheduledEventBody(invitee.event),
  invitee: inviteeBody(invitee)
})

/** Times with a free seat, soonest first, looked at again as they are asked for. */
function* nextStarts(eventType: EventType, now: number): Generator<number, undefined> {
  for (let window = 0; window < horizon; window++) {
    const from = now + window * windowMs
    for (const { start } of openSlots(eventType, from, from + windowMs, now)) {
      while (seatsAt(eventType, start) > 0) yield start
    }
  }
}

const sampleAnswers = ({ custom_questions }: EventType): Answer[] =>
  custom_questions.flatMap(({ name, type, required, enabled, answer_choices: [choice] }, position) => {
    if (!required || !enabled) return []
    const answer = type === 'phone_number' ? '+1 415 555 0100' : (choice ?? 'An answer')
    return [{ question: name, answer, position }]
  })
