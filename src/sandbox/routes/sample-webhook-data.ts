import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept } from '../accept.ts'
import { callerOf } from '../access.ts'
import { blockAt } from '../availability.ts'
import type { Current } from '../current.ts'
import { ApiError } from '../errors.ts'
import { newId, uriOf } from '../identifiers.ts'
import { noTracking } from '../invitation.ts'
import type { EventType, Invitee, ScheduledEvent } from '../records.ts'
import { inviteePayload } from '../render-bookings.ts'
import { audience, checkAudience, eventNames } from './webhook-subscriptions.ts'

const query = z.strictObject({ ...audience, event: z.enum(eventNames) })

/** What a delivery would look like; nothing is booked for it. */
export function sampleWebhookData(app: FastifyInstance, { current }: { current: Current }) {
  app.get('/sample_webhook_data', async (request) => {
    const { event, ...asked } = accept(query, request.query)
    const caller = callerOf(request)
    checkAudience(caller, asked)
    const eventType = [...current.world.eventTypes.values()].find(
      ({ organization }) => organization === caller.organization
    )
    if (!eventType || !event.startsWith('invitee')) {
      throw new ApiError(400, { message: `The sandbox has no sample of ${event}.` })
    }
    const createdAt = current.clock.stamp()
    const invitee = sampleInvitee(eventType, current.clock.now(), createdAt)
    if (event === 'invitee.canceled') cancel(invitee, createdAt)
    if (event === 'invitee_no_show.created') {
      invitee.noShow = { uri: uriOf('invitee_no_shows', newId('')), invitee, createdAt }
    }
    return { event, created_at: createdAt, created_by: caller.uri, payload: inviteePayload(invitee) }
  })
}

function sampleInvitee(eventType: EventType, start: number, createdAt: string): Invitee {
  const uri = uriOf('scheduled_events', newId(eventType.id))
  const dates = { createdAt, updatedAt: createdAt }
  const event: ScheduledEvent = {
    ...blockAt(eventType, start),
    ...dates,
    uri,
    eventType,
    hosts: eventType.pools.flatMap(([host]) => host ?? []),
    status: 'active',
    choice: undefined,
    location: null,
    guests: [],
    invitees: []
  }
  const person = {
    name: 'Sample Invitee',
    first_name: null,
    last_name: null,
    email: 'sample@example.com',
    timezone: 'Etc/UTC',
    text_reminder_number: null,
    questions_and_answers: [],
    tracking: noTracking
  }
  const invitee: Invitee = {
    ...dates,
    uri: `${uri}/invitees/${newId(eventType.id)}`,
    person,
    event,
    status: 'active',
    method: null,
    rescheduled: false
  }
  event.invitees.push(invitee)
  return invitee
}

function cancel(invitee: Invitee, created_at: string) {
  const cancellation = {
    canceled_by: invitee.person.name,
    reason: null,
    canceler_type: 'invitee',
    created_at
  } as const
  Object.assign(invitee, { status: 'canceled', cancellation })
  Object.assign(invitee.event, { status: 'canceled', cancellation })
}
