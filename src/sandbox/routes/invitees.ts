import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept, instant, reference } from '../accept.ts'
import { callerOf } from '../access.ts'
import { checkAnswers, choiceOf } from '../choices.ts'
import type { Current } from '../current.ts'
import { notFound } from '../errors.ts'
import {
  answerList,
  guestList,
  inviteeSchema,
  locationChoice,
  personOf,
  trackingSchema
} from '../invitation.ts'
import { inviteeBody } from '../render-bookings.ts'
import type { Scheduling } from '../scheduling.ts'
import { eventTypeFor } from './event-types.ts'

const body = z.strictObject({
  event_type: reference('event_types'),
  start_time: instant,
  invitee: inviteeSchema,
  location: locationChoice.optional(),
  questions_and_answers: answerList.optional(),
  tracking: trackingSchema.optional(),
  event_guests: guestList.default([])
})

export function invitees(
  app: FastifyInstance,
  { current, scheduling }: { current: Current; scheduling: Scheduling }
) {
  app.post('/invitees', async (request, reply) => {
    const asked = accept(body, request.body)
    const eventType = eventTypeFor(callerOf(request), current, asked.event_type)
    if (!eventType.active) throw notFound()
    const { questions_and_answers, tracking } = asked
    checkAnswers(eventType, questions_and_answers ?? [])
    const invitee = scheduling.book({
      eventType,
      start: asked.start_time,
      person: personOf(asked.invitee, { questions_and_answers, tracking }),
      choice: choiceOf(eventType, asked.location),
      guests: asked.event_guests,
      method: 'api'
    })
    reply.code(201)
    return { resource: inviteeBody(invitee) }
  })
}
