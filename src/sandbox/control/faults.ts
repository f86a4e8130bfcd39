import type { FastifyInstance } from 'fastify'
import { accept } from '../accept.ts'
import { type Faults, faultSchema } from '../faults.ts'

export function faults(app: FastifyInstance, { faults: installed }: { faults: Faults }) {
  app.get('/faults', async () => ({ faults: installed.list() }))

  app.post('/faults', async (request, reply) => {
    const id = installed.add(accept(faultSchema, request.body))
    reply.code(201)
    return { id }
  })

  app.delete('/faults', async (_request, reply) => {
    installed.clear()
    return reply.code(204).send()
  })
}
