import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept, reference } from '../accept.ts'
import type { Current } from '../current.ts'
import { ApiError, notFound } from '../errors.ts'
import type { Quotas, Told } from '../quotas.ts'
import type { User } from '../records.ts'
import { planName } from '../seed.ts'

type Whose = { user?: string | undefined; organization?: string | undefined }

/** Everybody, where neither is given. */
const whose = { user: reference('users').optional(), organization: reference('organizations').optional() }
const planBody = z.strictObject({ ...whose, plan: planName.nullable() })
const usedBody = z.strictObject({
  ...whose,
  used: z.int().min(0).default(0),
  bookings_used: z.int().min(0).default(0)
})

/** Plans, and what else a user has connected to Calendly that uses them up. */
export function quotas(app: FastifyInstance, { current, quotas }: { current: Current; quotas: Quotas }) {
  const everybody = () => [...current.world.users.values()]
  const bodyOf = (users: readonly User[]) => ({ quotas: users.map(quotaBody) })

  function find({ user, organization }: Whose): User[] {
    const found = everybody().filter(
      (one) =>
        (user === undefined || one.uri === user) &&
        (organization === undefined || one.organization.uri === organization)
    )
    if (found.length === 0) throw notFound()
    return found
  }

  function quotaBody(user: User) {
    const { bookings, ...calls } = quotas.tell(user)
    return {
      user: user.uri,
      plan: user.plan ?? null,
      ...windowBody(calls),
      bookings: bookings.map((window) => ({
        ...windowBody(window),
        window_seconds: window.windowMs / 1000
      }))
    }
  }

  app.get('/quota', async () => bodyOf(everybody()))

  app.put('/plan', async (request) => {
    const { plan, ...asked } = accept(planBody, request.body)
    const users = find(asked)
    for (const user of users) quotas.setPlan(user, plan ?? undefined)
    return bodyOf(users)
  })

  app.post('/quota', async (request) => {
    const { used, bookings_used, ...asked } = accept(usedBody, request.body)
    const users = find(asked).filter(({ plan }) => plan)
    if (users.length === 0) {
      throw new ApiError(400, {
        message: 'Without a plan there is no quota to use; PUT /__sandbox/plan first.'
      })
    }
    for (const user of users) quotas.use(user, { calls: used, bookings: bookings_used })
    return bodyOf(users)
  })
}

const windowBody = ({ limit, remaining, resetMs }: Told) => ({
  limit,
  remaining,
  reset_seconds: Math.ceil(resetMs / 1000)
})
