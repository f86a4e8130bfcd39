import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept, instant, noQuery, reference } from '../accept.ts'
import { callerOf } from '../access.ts'
import { hostsOf } from '../availability.ts'
import type { Current } from '../current.ts'
import { denied, invalid } from '../errors.ts'
import { uriOf } from '../identifiers.ts'
import type { User } from '../records.ts'
import { busyTimeBody, eventTypeScheduleBody, scheduleBody } from '../render.ts'
import { get } from '../world.ts'
import { eventTypeFor } from './event-types.ts'

const weekMs = 7 * 86_400_000

const busyQuery = z.strictObject({ user: reference('users'), start_time: instant, end_time: instant })
const userQuery = z.strictObject({ user: reference('users') })
const eventTypeQuery = z.strictObject({ event_type: reference('event_types') })

/** When hosts work, and when they are taken. */
export function schedules(app: FastifyInstance, { current }: { current: Current }) {
  function colleague(caller: User, uri: string): User {
    const user = current.world.users.get(uri)
    if (user?.organization !== caller.organization) throw denied('This user is not in your organization')
    return user
  }

  app.get('/user_busy_times', async (request) => {
    const { user, start_time, end_time } = accept(busyQuery, request.query)
    const { timeline } = colleague(callerOf(request), user)
    if (end_time <= start_time) {
      throw invalid({ parameter: 'start_time', message: 'start_time must be before end_time' })
    }
    if (end_time - start_time > weekMs) {
      throw invalid({ parameter: 'end_time', message: 'end_time must be within 7 days of start_time' })
    }
    return { collection: timeline.between(start_time, end_time).map(busyTimeBody) }
  })

  app.get('/user_availability_schedules', async (request) => {
    const { user } = accept(userQuery, request.query)
    return { collection: [scheduleBody(colleague(callerOf(request), user))] }
  })

  app.get<{ Params: { id: string } }>('/user_availability_schedules/:id', async (request) => {
    accept(noQuery, request.query)
    const owner = get(current.world.users, uriOf('users', request.params.id))
    return { resource: scheduleBody(colleague(callerOf(request), owner.uri)) }
  })

  app.get('/event_type_availability_schedules', async (request) => {
    const { event_type } = accept(eventTypeQuery, request.query)
    const eventType = eventTypeFor(callerOf(request), current, event_type)
    return { collection: hostsOf(eventType).map((host) => eventTypeScheduleBody(eventType, host)) }
  })
}
