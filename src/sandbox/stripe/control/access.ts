import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { accept } from '../../accept.ts'
import { notFound } from '../../errors.ts'
import { permissionNames } from '../keys.ts'
import { mishapSchema } from '../mishaps.ts'
import { standardAccount } from '../records.ts'
import type { Stripe } from '../stripe.ts'

const keySchema = z.strictObject({
  name: z.string().min(1),
  value: z.string().regex(/^(sk|rk)_\w+$/),
  account: z.string().startsWith('acct_').default(standardAccount),
  livemode: z.boolean().default(false),
  permissions: z.array(z.enum(permissionNames)).optional()
})
const revokeSchema = z.strictObject({ name: z.string() })

/** Who may ask, and what goes wrong while they do. */
export function access(app: FastifyInstance, { keys, setKeys, mishaps }: Stripe) {
  app.get('/keys', async () => ({ keys: keys() }))

  app.post('/keys', async (request, reply) => {
    const key = accept(keySchema, request.body)
    setKeys([...keys().filter(({ name }) => name !== key.name), key])
    return reply.code(204).send()
  })

  app.post('/keys/revoke', async (request, reply) => {
    const { name } = accept(revokeSchema, request.body)
    const left = keys().filter((key) => key.name !== name)
    if (left.length === keys().length) throw notFound()
    setKeys(left)
    return reply.code(204).send()
  })

  app.post('/mishaps', async (request, reply) => {
    mishaps.add(accept(mishapSchema, request.body))
    return reply.code(204).send()
  })

  app.delete('/mishaps', async (_request, reply) => {
    mishaps.clear()
    return reply.code(204).send()
  })
}
