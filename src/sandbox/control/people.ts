import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept, instant, reference, timeZone } from '../accept.ts'
import { openSlots, seatsAt } from '../availability.ts'
import { checkAnswers } from '../choices.ts'
import type { Current } from '../current.ts'
import { ApiError } from '../errors.ts'
import { answerList, guestList, locationChoice, personOf, trackingSchema } from '../invitation.ts'
import type { Answer, EventType, Invitee, LocationChoice } from '../records.ts'
import { inviteeBody, scheduledEventBody } from '../render-bookings.ts'
import type { Scheduling } from '../scheduling.ts'
import { get } from '../world.ts'

const windowMs = 31 * 86_400_000
const horizon = 60

const bookBody = z.strictObject({
  event_type: reference('event_types'),
  start_time: instant.optional(),
  name: z.string().min(1).default('Iris Invitee'),
  email: z.email().default('iris@example.com'),
  timezone: timeZone.default('Etc/UTC'),
  location: locationChoice.optional(),
  questions_and_answers: answerList.optional(),
  tracking: trackingSchema.optional(),
  event_guests: guestList.default([])
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

const rescheduleBody = z.strictObject({ ...cancelBody.shape, start_time: instant })

/** What people do on Calendly's own pages. They fill in whatever the page would insist on. */
export function people(
  app: FastifyInstance,
  { current, scheduling }: { current: Current; scheduling: Scheduling }
) {
  function bookAs(eventType: EventType, start: number, asked: z.output<typeof bookBody>): Invitee {
    const { name, email, timezone, tracking, event_guests: guests } = asked
    const questions_and_answers = asked.questions_and_answers ?? sampleAnswers(eventType)
    checkAnswers(eventType, questions_and_answers)
    return scheduling.book({
      eventType,
      start,
      person: personOf({ name, email, timezone }, { questions_and_answers, tracking }),
      choice: asked.location ?? firstLocation(eventType),
      guests,
      method: null
    })
  }

  app.post('/book', async (request, reply) => {
    const asked = accept(bookBody, request.body)
    const eventType = get(current.world.eventTypes, asked.event_type)
    const start = asked.start_time ?? nextStarts(eventType, current.clock.now()).next().value
    if (start === undefined) throw new ApiError(400, { message: 'That host has no time left.' })
    reply.code(201)
    return bothBodies(bookAs(eventType, start, asked))
  })

  app.post('/book-many', async (request, reply) => {
    const { event_type, count } = accept(bookManyBody, request.body)
    const eventType = get(current.world.eventTypes, event_type)
    const invitees: Invitee[] = []
    for (const start of nextStarts(eventType, current.clock.now())) {
      const email = `invitee-${invitees.length + 1}@example.com`
      invitees.push(bookAs(eventType, start, accept(bookBody, { event_type, email })))
      if (invitees.length === count) break
    }
    reply.code(201)
    return { invitees: invitees.map(({ uri }) => uri) }
  })

  app.post('/cancel', async (request) => {
    const { invitee: uri, by, reason } = accept(cancelBody, request.body)
    const invitee = get(current.world.invitees, uri)
    if (by === 'host') scheduling.cancelEvent(invitee.event, invitee.event.eventType.host, reason)
    else scheduling.cancelInvitee(invitee, reason)
    return bothBodies(invitee)
  })

  app.post('/reschedule', async (request, reply) => {
    const { invitee: uri, start_time, by, reason } = accept(rescheduleBody, request.body)
    const invitee = get(current.world.invitees, uri)
    reply.code(201)
    return bothBodies(scheduling.reschedule(invitee, start_time, by, reason))
  })
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

function firstLocation({ locations: [first] }: EventType): LocationChoice | undefined {
  if (!first) return undefined
  const { kind, location } = first
  if (kind === 'outbound_call' || kind === 'ask_invitee') return { kind, location: '+1 415 555 0100' }
  return location === undefined ? { kind } : { kind, location }
}

const sampleAnswers = ({ custom_questions }: EventType): Answer[] =>
  custom_questions.flatMap(({ name, type, required, enabled, answer_choices: [choice] }, position) => {
    if (!required || !enabled) return []
    const answer = type === 'phone_number' ? '+1 415 555 0100' : (choice ?? 'An answer')
    return [{ question: name, answer, position }]
  })
