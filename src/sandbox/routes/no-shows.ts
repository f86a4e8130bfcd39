import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept, noQuery, reference } from '../accept.ts'
import { callerOf } from '../access.ts'
import type { Current } from '../current.ts'
import { denied } from '../errors.ts'
import { uriOf } from '../identifiers.ts'
import type { NoShows } from '../no-shows.ts'
import type { Invitee, User } from '../records.ts'
import { noShowBody } from '../render-bookings.ts'
import { get } from '../world.ts'

type Params = { Params: { id: string } }

const body = z.strictObject({ invitee: reference('scheduled_events') })

export function noShows(
  app: FastifyInstance,
  { current, noShows: register }: { current: Current; noShows: NoShows }
) {
  function noShowFor(caller: User, id: string) {
    const noShow = get(current.world.noShows, uriOf('invitee_no_shows', id))
    requireColleague(caller, noShow.invitee)
    return noShow
  }

  app.post('/invitee_no_shows', async (request, reply) => {
    const invitee = get(current.world.invitees, accept(body, request.body).invitee)
    requireColleague(callerOf(request), invitee)
    reply.code(201)
    return { resource: noShowBody(register.mark(invitee)) }
  })

  app.get<Params>('/invitee_no_shows/:id', async (request) => {
    accept(noQuery, request.query)
    return { resource: noShowBody(noShowFor(callerOf(request), request.params.id)) }
  })

  app.delete<Params>('/invitee_no_shows/:id', async (request, reply) => {
    register.clear(noShowFor(callerOf(request), request.params.id))
    return reply.code(204).send()
  })
}

function requireColleague(caller: User, { event }: Invitee) {
  if (event.eventType.organization !== caller.organization) throw denied()
}
