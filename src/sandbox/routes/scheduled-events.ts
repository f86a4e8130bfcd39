import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept, instant, noQuery, paging, reference } from '../accept.ts'
import { callerOf, isAdmin } from '../access.ts'
import type { Current } from '../current.ts'
import { denied, invalid } from '../errors.ts'
import { uriOf } from '../identifiers.ts'
import { page } from '../pages.ts'
import type { ScheduledEvent, User } from '../records.ts'
import { inviteeBody, scheduledEventBody } from '../render-bookings.ts'
import type { Scheduling } from '../scheduling.ts'
import { get } from '../world.ts'

type Params = { Params: { event: string; invitee: string } }

const status = z.enum(['active', 'canceled']).optional()

const eventsQuery = z.strictObject({
  ...paging,
  user: reference('users').optional(),
  organization: reference('organizations').optional(),
  group: reference('groups').optional(),
  invitee_email: z.email().optional(),
  status,
  sort: z.string().default('start_time:asc'),
  min_start_time: instant.optional(),
  max_start_time: instant.optional()
})

const inviteesQuery = z.strictObject({
  ...paging,
  status,
  email: z.email().optional(),
  sort: z.string().default('created_at:asc')
})

const cancellationBody = z.strictObject({ reason: z.string().max(10_000).optional() })

export function scheduledEvents(
  app: FastifyInstance,
  { current, scheduling }: { current: Current; scheduling: Scheduling }
) {
  function eventFor(caller: User, id: string, refusal: string): ScheduledEvent {
    const event = get(current.world.events, uriOf('scheduled_events', id))
    const { hosts, eventType } = event
    const isTheirAdmin = isAdmin(caller) && eventType.organization === caller.organization
    if (!hosts.includes(caller) && !isTheirAdmin) {
      throw denied(refusal)
    }
    return event
  }

  app.get('/scheduled_events', async (request) => {
    const query = accept(eventsQuery, request.query)
    checkListing(callerOf(request), query, current)
    const { invitee_email, min_start_time = -Infinity, max_start_time = Infinity } = query
    const { organization } = callerOf(request)
    const found =
      invitee_email === undefined ? current.world.events.values() : current.world.eventsOf(invitee_email)
    const wanted = [...found].filter(
      ({ eventType, hosts, start, status }) =>
        eventType.organization === organization &&
        start >= min_start_time &&
        start <= max_start_time &&
        (query.user === undefined || hosts.some(({ uri }) => uri === query.user)) &&
        (query.status === undefined || status === query.status)
    )
    return page(wanted, {
      url: request.url,
      query,
      sorts: { start_time: ({ start }) => start },
      defaultSort: 'start_time:asc',
      body: scheduledEventBody
    })
  })

  app.get<Params>('/scheduled_events/:event', async (request) => {
    accept(noQuery, request.query)
    const { event } = request.params
    const found = eventFor(callerOf(request), event, 'You are not allowed to view this event')
    return { resource: scheduledEventBody(found) }
  })

  app.get<Params>('/scheduled_events/:event/invitees', async (request) => {
    const query = accept(inviteesQuery, request.query)
    const event = eventFor(callerOf(request), request.params.event, 'You are not allowed to view this event')
    const wanted = event.invitees.filter(
      ({ status, person }) =>
        (query.status === undefined || status === query.status) &&
        (query.email === undefined || person.email.toLowerCase() === query.email.toLowerCase())
    )
    return page(wanted, {
      url: request.url,
      query,
      sorts: { created_at: ({ createdAt }) => createdAt },
      defaultSort: 'created_at:asc',
      body: inviteeBody
    })
  })

  app.get<Params>('/scheduled_events/:event/invitees/:invitee', async (request) => {
    accept(noQuery, request.query)
    const event = eventFor(callerOf(request), request.params.event, 'You are not allowed to view this event')
    const invitee = get(current.world.invitees, `${event.uri}/invitees/${request.params.invitee}`)
    return { resource: inviteeBody(invitee) }
  })

  app.post<Params>('/scheduled_events/:event/cancellation', async (request, reply) => {
    const { reason } = accept(cancellationBody, request.body)
    const caller = callerOf(request)
    const event = eventFor(caller, request.params.event, 'You are not allowed to cancel this event')
    reply.code(201)
    return { resource: scheduling.cancelEvent(event, caller, reason ?? null) }
  })
}

function checkListing(caller: User, query: z.output<typeof eventsQuery>, { world }: Current) {
  const { user, organization } = query
  if (query.group !== undefined) throw denied()
  if (user === undefined && organization === undefined) {
    throw invalid({ parameter: 'user', message: 'either user or organization must be filled' })
  }
  if (organization !== undefined && organization !== caller.organization.uri) {
    throw denied('You do not have permission')
  }
  if (user === caller.uri) return
  if (!isAdmin(caller)) throw denied()
  if (user === undefined) return
  if (world.users.get(user)?.organization !== caller.organization) {
    throw denied('This user is not in your organization')
  }
  if (organization === undefined) {
    throw denied(
      'Please also specify organization when requesting events for a user within your organization.'
    )
  }
}
