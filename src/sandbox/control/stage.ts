import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept, instant, reference } from '../accept.ts'
import { blockAt, hostsOf } from '../availability.ts'
import type { Current } from '../current.ts'
import { notFound } from '../errors.ts'
import { micros } from '../identifiers.ts'
import { eventTypeBody, organizationBody, schedulingLinkBody, subscriptionBody, userBody } from '../render.ts'
import { inviteeBody, scheduledEventBody } from '../render-bookings.ts'
import { get } from '../world.ts'

const resetBody = z.strictObject({ seed: z.unknown().optional() })
const clockBody = z.union([
  z.strictObject({ advance_seconds: z.number().min(0) }),
  z.strictObject({ now: instant })
])
const tokenBody = z.strictObject({ token: z.string().optional() })
const fillBody = z.strictObject({ event_type: reference('event_types'), start_time: instant })
const busyBody = z.strictObject({ user: reference('users'), start_time: instant, end_time: instant })

/** The state of things: seed, clock, tokens, calendars. */
export function stage(
  app: FastifyInstance,
  { current, reset }: { current: Current; reset: (seed: unknown) => void }
) {
  app.get('/state', async () => stateOf(current))

  app.post('/reset', async (request) => {
    reset(accept(resetBody, request.body).seed)
    return stateOf(current)
  })

  app.post('/clock', async (request) => {
    const asked = accept(clockBody, request.body)
    current.clock.moveTo('now' in asked ? asked.now : current.clock.now() + asked.advance_seconds * 1000)
    return { now: micros(current.clock.now()) }
  })

  for (const act of ['revoke', 'restore'] as const) {
    app.post(`/tokens/${act}`, async (request, reply) => {
      const asked = accept(tokenBody, request.body).token
      const tokens = current.world.tokens.filter(
        ({ name, value }) => asked === undefined || asked === name || asked === value
      )
      if (tokens.length === 0) throw notFound()
      for (const token of tokens) token.revoked = act === 'revoke'
      return reply.code(204).send()
    })
  }

  app.post('/fill', async (request, reply) => {
    const { event_type, start_time } = accept(fillBody, request.body)
    const eventType = get(current.world.eventTypes, event_type)
    const { start, end } = blockAt(eventType, start_time)
    for (const host of hostsOf(eventType)) current.world.addBusy(host, start, end)
    return reply.code(204).send()
  })

  app.post('/busy', async (request, reply) => {
    const { user, start_time, end_time } = accept(busyBody, request.body)
    current.world.addBusy(get(current.world.users, user), start_time, end_time)
    return reply.code(204).send()
  })
}

function stateOf({ world, clock }: Current) {
  return {
    now: micros(clock.now()),
    signing_key: world.signingKey,
    organizations: Array.from(world.organizations.values(), organizationBody),
    users: Array.from(world.users.values(), userBody),
    tokens: world.tokens.map((token) => ({ ...token, user: token.user.uri })),
    event_types: Array.from(world.eventTypes.values(), eventTypeBody),
    scheduled_events: Array.from(world.events.values(), (event) => ({
      ...scheduledEventBody(event),
      invitees: event.invitees.map(inviteeBody)
    })),
    scheduling_links: Array.from(world.schedulingLinks.values(), (link) => ({
      ...schedulingLinkBody(link),
      used: link.isUsed
    })),
    webhook_subscriptions: Array.from(world.subscriptions.values(), subscriptionBody)
  }
}
