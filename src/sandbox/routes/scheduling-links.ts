import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept, reference } from '../accept.ts'
import { callerOf } from '../access.ts'
import type { Current } from '../current.ts'
import type { Links } from '../links.ts'
import { schedulingLinkBody } from '../render.ts'
import { eventTypeFor } from './event-types.ts'

const body = z.strictObject({
  max_event_count: z.literal(1),
  owner: reference('event_types'),
  owner_type: z.literal('EventType')
})

export function schedulingLinks(
  app: FastifyInstance,
  { current, links }: { current: Current; links: Links }
) {
  app.post('/scheduling_links', async (request, reply) => {
    const { owner } = accept(body, request.body)
    const link = links.make(eventTypeFor(callerOf(request), current, owner))
    reply.code(201)
    return { resource: schedulingLinkBody(link) }
  })
}
