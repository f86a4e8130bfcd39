import type { FastifyInstance } from 'fastify'
import type { Journal } from '../journal.ts'

/** What the client asked for, to assert against. */
export function log(app: FastifyInstance, { journal }: { journal: Journal }) {
  app.get('/requests', async () => ({ requests: journal.entries() }))

  app.delete('/requests', async (_request, reply) => {
    journal.clear()
    return reply.code(204).send()
  })

  app.get('/violations', async () => ({ violations: journal.violations() }))
}
