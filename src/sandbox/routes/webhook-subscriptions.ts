import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept, noQuery, paging, reference } from '../accept.ts'
import { callerOf, isAdmin } from '../access.ts'
import type { Current } from '../current.ts'
import { ApiError, denied, invalid } from '../errors.ts'
import { uriOf } from '../identifiers.ts'
import { page } from '../pages.ts'
import type { Subscription, Token, User } from '../records.ts'
import { subscriptionBody } from '../render.ts'
import { isGranted } from '../scopes.ts'
import { get } from '../world.ts'

type Params = { Params: { id: string } }

export const eventNames = [
  'invitee.created',
  'invitee.canceled',
  'invitee_no_show.created',
  'invitee_no_show.deleted',
  'routing_form_submission.created',
  'event_type.created',
  'event_type.deleted',
  'event_type.updated',
  'meeting_recap.created',
  'meeting_recap.updated',
  'meeting_recap.deleted',
  'contact.created',
  'contact.updated',
  'contact.deleted'
] as const

export const audience = {
  organization: reference('organizations'),
  scope: z.enum(['organization', 'user', 'group']),
  user: reference('users').optional(),
  group: reference('groups').optional()
}

type Audience = { organization: string; scope: 'organization' | 'user' | 'group'; user?: string | undefined }

const createBody = z.strictObject({
  ...audience,
  url: z.url().refine(isCallback, { error: 'must be an https URL' }),
  events: z.array(z.enum(eventNames)).min(1),
  signing_key: z.string().min(1).optional()
})

const listQuery = z.strictObject({ ...audience, ...paging, sort: z.string().default('created_at:asc') })

/** Members speak for themselves, admins for the organization; there are no groups here. */
export function checkAudience(
  caller: User,
  { organization, scope, user }: Audience
): 'organization' | 'user' {
  if (organization !== caller.organization.uri || scope === 'group') throw denied()
  if (scope === 'user' && user === undefined) throw invalid({ parameter: 'user', message: 'is missing' })
  if (!isAdmin(caller) && (scope === 'organization' || user !== caller.uri)) throw denied()
  return scope
}

/** What a kind of event needs beside `webhooks:write`, and the only scope in which it is told. */
const rules: Readonly<Record<string, { needs: string; only?: 'organization' | 'user' }>> = {
  invitee: { needs: 'scheduled_events:read' },
  invitee_no_show: { needs: 'scheduled_events:read' },
  routing_form_submission: { needs: 'routing_forms:read', only: 'organization' },
  event_type: { needs: 'event_types:read' },
  meeting_recap: { needs: 'meeting_recaps:read', only: 'user' },
  contact: { needs: 'contacts:read' }
}

function checkEvents(events: readonly string[], scope: 'organization' | 'user', { scopes }: Token): void {
  for (const event of events) {
    const rule = rules[event.split('.')[0] ?? '']
    if (rule?.only && rule.only !== scope) {
      throw invalid({ parameter: 'events', message: `${event} is told in the scope ${rule.only} only` })
    }
    if (rule && scopes && !isGranted(scopes, rule.needs)) {
      throw new ApiError(403, {
        message: "This operation requires the scopes listed in the 'required_scopes' array.",
        requiredScopes: [rule.needs]
      })
    }
  }
}

export function webhookSubscriptions(app: FastifyInstance, { current }: { current: Current }) {
  function subscriptionFor(caller: User, id: string): Subscription {
    const subscription = get(current.world.subscriptions, uriOf('webhook_subscriptions', id))
    const { organization, user } = subscription
    if (organization !== caller.organization || (!isAdmin(caller) && user !== caller)) throw denied()
    return subscription
  }

  app.post('/webhook_subscriptions', async (request, reply) => {
    const { world, clock } = current
    const caller = callerOf(request)
    const { url, events, signing_key, user, ...rest } = accept(createBody, request.body)
    const scope = checkAudience(caller, { ...rest, user })
    checkEvents(events, scope, request.getDecorator<Token>('token'))
    const hooks = [...world.subscriptions.values()]
    if (
      hooks.some(
        ({ organization, callbackUrl }) => organization === caller.organization && callbackUrl === url
      )
    ) {
      throw new ApiError(409, { message: 'Hook with this url already exists' })
    }
    const createdAt = clock.stamp()
    const subscription: Subscription = {
      uri: uriOf('webhook_subscriptions', randomUUID()),
      callbackUrl: url,
      events: [...new Set(events)],
      scope,
      organization: caller.organization,
      ...(scope === 'user' && user !== undefined && { user: get(world.users, user) }),
      creator: caller,
      ...(signing_key !== undefined && { signingKey: signing_key }),
      state: 'active',
      createdAt,
      updatedAt: createdAt
    }
    world.subscriptions.set(subscription.uri, subscription)
    reply.code(201)
    return { resource: subscriptionBody(subscription) }
  })

  app.get('/webhook_subscriptions', async (request) => {
    const query = accept(listQuery, request.query)
    const caller = callerOf(request)
    const scope = checkAudience(caller, query)
    const found = [...current.world.subscriptions.values()].filter(
      (subscription) =>
        subscription.organization === caller.organization &&
        subscription.scope === scope &&
        subscription.user?.uri === (scope === 'user' ? query.user : undefined)
    )
    return page(found, {
      url: request.url,
      query,
      sorts: { created_at: ({ createdAt }) => createdAt },
      defaultSort: 'created_at:asc',
      body: subscriptionBody
    })
  })

  app.get<Params>('/webhook_subscriptions/:id', async (request) => {
    accept(noQuery, request.query)
    return { resource: subscriptionBody(subscriptionFor(callerOf(request), request.params.id)) }
  })

  app.delete<Params>('/webhook_subscriptions/:id', async (request, reply) => {
    current.world.subscriptions.delete(subscriptionFor(callerOf(request), request.params.id).uri)
    return reply.code(204).send()
  })
}

/** Without TLS only on this machine. */
function isCallback(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  if (protocol !== 'http:') return protocol === 'https:'
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
}
