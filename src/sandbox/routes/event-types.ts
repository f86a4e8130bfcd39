import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept, flag, instant, noQuery, paging, reference } from '../accept.ts'
import { callerOf } from '../access.ts'
import { hostsOf, openSlots } from '../availability.ts'
import type { Current } from '../current.ts'
import { denied, invalid } from '../errors.ts'
import { uriOf } from '../identifiers.ts'
import { page } from '../pages.ts'
import type { EventType, User } from '../records.ts'
import { availableTimeBody, eventTypeBody, eventTypeMembershipBody, scheduleUri } from '../render.ts'
import { get } from '../world.ts'

const dayMs = 86_400_000

const listQuery = z.strictObject({
  ...paging,
  user: reference('users').optional(),
  organization: reference('organizations').optional(),
  active: flag.optional(),
  admin_managed: flag.optional(),
  user_availability_schedule: reference('user_availability_schedules').optional(),
  sort: z.string().default('name:asc')
})

const membershipQuery = z.strictObject({ ...paging, event_type: reference('event_types') })

const availableTimesQuery = z.strictObject({
  event_type: reference('event_types'),
  start_time: instant,
  end_time: instant
})

/** The event type, if it is of the caller's organization. */
export function eventTypeFor(caller: User, current: Current, uri: string): EventType {
  const eventType = get(current.world.eventTypes, uri)
  if (eventType.organization !== caller.organization) throw denied()
  return eventType
}

/** What can be booked, with whom, and when. */
export function eventTypes(app: FastifyInstance, { current }: { current: Current }) {
  app.get('/event_types', async (request) => {
    const query = accept(listQuery, request.query)
    const caller = callerOf(request)
    if (query.user === undefined && query.organization === undefined) {
      throw invalid({ message: 'either user or organization must be filled', parameter: 'user' })
    }
    if (query.organization !== undefined && query.organization !== caller.organization.uri) throw denied()
    if (query.user !== undefined && !current.world.users.has(query.user)) throw denied()
    const found = [...current.world.eventTypes.values()].filter((eventType) => {
      const { organization, active } = eventType
      const hosts = hostsOf(eventType)
      return (
        organization === caller.organization &&
        (query.user === undefined || hosts.some(({ uri }) => uri === query.user)) &&
        (query.active === undefined || active === query.active) &&
        (query.user_availability_schedule === undefined ||
          hosts.some((host) => scheduleUri(host) === query.user_availability_schedule)) &&
        query.admin_managed !== true
      )
    })
    return page(found, {
      url: request.url,
      query,
      sorts: {
        name: ({ name }) => name,
        position: ({ position }) => position,
        created_at: ({ createdAt }) => createdAt,
        updated_at: ({ updatedAt }) => updatedAt
      },
      defaultSort: 'name:asc',
      body: eventTypeBody
    })
  })

  app.get<{ Params: { id: string } }>('/event_types/:id', async (request) => {
    accept(noQuery, request.query)
    const uri = uriOf('event_types', request.params.id)
    return { resource: eventTypeBody(eventTypeFor(callerOf(request), current, uri)) }
  })

  app.get('/event_type_memberships', async (request) => {
    const query = accept(membershipQuery, request.query)
    const eventType = eventTypeFor(callerOf(request), current, query.event_type)
    return page(hostsOf(eventType), {
      url: request.url,
      query,
      sorts: { created_at: ({ createdAt }) => createdAt },
      defaultSort: 'created_at:asc',
      body: (host) => eventTypeMembershipBody(eventType, host)
    })
  })

  app.get('/event_type_available_times', async (request) => {
    const { event_type, start_time, end_time } = accept(availableTimesQuery, request.query)
    const eventType = eventTypeFor(callerOf(request), current, event_type)
    const now = current.clock.now()
    checkRange(start_time, end_time, now)
    const slots = eventType.active ? openSlots(eventType, start_time, end_time, now) : []
    return { collection: slots.map((slot) => availableTimeBody(eventType, slot)) }
  })
}

function checkRange(start: number, end: number, now: number) {
  if (start <= now) {
    throw invalid({ parameter: 'start_time', message: 'start_time must be in the future' })
  }
  if (end <= start) {
    throw invalid({ parameter: 'start_time', message: 'start_time must be before end_time' })
  }
  if (end - start > 31 * dayMs) {
    throw invalid({ parameter: 'end_time', message: 'end_time must be within 31 days of start_time' })
  }
}
