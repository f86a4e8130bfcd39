import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept, noQuery, paging, reference } from '../accept.ts'
import { callerOf, isAdmin } from '../access.ts'
import type { Current } from '../current.ts'
import { denied } from '../errors.ts'
import { uriOf } from '../identifiers.ts'
import { page } from '../pages.ts'
import { membershipBody, organizationBody, userBody } from '../render.ts'
import { get } from '../world.ts'

type Params = { Params: { id: string } }

const membershipQuery = z.strictObject({
  ...paging,
  email: z.email().optional(),
  organization: reference('organizations').optional(),
  user: reference('users').optional(),
  role: z.enum(['owner', 'admin', 'user']).optional()
})

/** Users, organizations, and who belongs to which. */
export function accounts(app: FastifyInstance, { current }: { current: Current }) {
  app.get<Params>('/users/:id', async (request) => {
    accept(noQuery, request.query)
    const caller = callerOf(request)
    const { id } = request.params
    const user = id === 'me' ? caller : get(current.world.users, uriOf('users', id))
    if (user.organization !== caller.organization) throw denied()
    return { resource: userBody(user) }
  })

  app.get<Params>('/organizations/:id', async (request) => {
    accept(noQuery, request.query)
    const organization = get(current.world.organizations, uriOf('organizations', request.params.id))
    if (organization !== callerOf(request).organization) throw denied()
    return { resource: organizationBody(organization) }
  })

  app.get('/organization_memberships', async (request) => {
    const query = accept(membershipQuery, request.query)
    const caller = callerOf(request)
    if (query.organization !== undefined && query.organization !== caller.organization.uri) throw denied()
    if (query.user !== caller.uri && !isAdmin(caller)) throw denied()
    const members = [...current.world.users.values()].filter(
      (user) =>
        user.organization === caller.organization &&
        (query.user === undefined || user.uri === query.user) &&
        (query.email === undefined || user.email === query.email) &&
        (query.role === undefined || user.role === query.role)
    )
    return page(members, {
      url: request.url,
      query,
      sorts: { created_at: ({ createdAt }) => createdAt },
      defaultSort: 'created_at:asc',
      body: membershipBody
    })
  })

  app.get<Params>('/organization_memberships/:id', async (request) => {
    accept(noQuery, request.query)
    const member = get(current.world.users, uriOf('users', request.params.id))
    if (member.organization !== callerOf(request).organization) throw denied()
    return { resource: membershipBody(member) }
  })
}
