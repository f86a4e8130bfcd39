import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import Fastify from 'fastify'
import pg from 'pg'

/** The least that keeps webhooks: verifies, inserts one row per request through a pool of 20, and acknowledges. */
const { DATABASE_URL: connectionString, SIGNING_KEY: key = '' } = process.env
const pool = new pg.Pool({ connectionString, max: 20 })
const insert = `
  insert into deliveries (id, tenant_id, digest, body, event, signed_at, status)
  values ($1, 'default', $2, $3, 'invitee.created', $4, 'received')
  on conflict (tenant_id, digest) do nothing`

const app = Fastify({ logger: process.argv[2] === 'logs' })
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

app.post<{ Body: Buffer }>('/api/webhooks/calendly', async ({ headers, body }, reply) => {
  const [, t = '', v1 = ''] =
    /^t=(\d+),v1=([\da-f]{64})$/.exec(String(headers['calendly-webhook-signature'])) ?? []
  const expected = createHmac('sha256', key).update(`${t}.`).update(body).digest()
  const given = Buffer.from(v1, 'hex')
  const isGenuine = given.length === expected.length && timingSafeEqual(given, expected)
  if (!isGenuine || Math.abs(Date.now() - Number(t) * 1000) > 180_000) return reply.code(401).send()
  const digest = createHash('sha256').update(body).digest()
  await pool.query(insert, [crypto.randomUUID(), digest, body, new Date(Number(t) * 1000).toISOString()])
  return reply.code(204).send()
})
const address = await app.listen({ host: '127.0.0.1', port: 0 })
console.log(`listening at ${address}`)
