import { randomUUID } from 'node:crypto'
import pg from 'pg'
import t from 'tap'
import { engines, testDatabase } from '../support/database.ts'
import { openProxy } from '../support/proxy.ts'
import { openService, type Service, until } from '../support/service.ts'
import { webhookBody } from '../support/webhook.ts'
import { asked, book, bookingBody, bookings, cancel, deliver, untilStatus } from './support/client.ts'

const unavailable = {
  status: 503,
  headers: { 'retry-after': /^\d+$/ },
  body: { code: 'database_unavailable' }
}

const skip = !engines.includes('postgresql') && 'needs TEST_DATABASE_URL'

t.test('a PostgreSQL that goes and comes back costs requests, not the service', { skip }, async (t) => {
  const { url } = await testDatabase(t, 'postgresql')
  const proxy = await openProxy(t, String(url))
  const service = await openService(t, { env: { DATABASE_URL: proxy.url } })
  const { call } = service
  const body = await bookingBody(service)
  const idempotencyKey = randomUUID()
  const webhook = webhookBody({ id: 'LATER' })

  proxy.cut()
  const refused = await book(service, body, { idempotencyKey })
  t.match(refused, unavailable)
  t.notMatch(refused.text, /pool|connection|terminated|ECONN/i)
  t.match(await call('GET', '/api/v1/bookings'), unavailable)
  t.match(await deliver(service, webhook), unavailable)
  t.equal((await call('GET', '/api/health/ready')).status, 503)
  t.same(await asked(service, 'POST', /./), [])

  proxy.mend()
  await until(
    () => call('GET', '/api/health/ready'),
    ({ status }) => status === 200
  )
  t.equal((await book(service, body, { idempotencyKey })).status, 201)
  t.equal((await deliver(service, webhook)).status, 204)
  t.ok((await bookings(service)).length >= 1)
})

t.test('a PostgreSQL that goes while Calendly is at work loses no outcome', { skip }, async (t) => {
  const { url = '' } = await testDatabase(t, 'postgresql')
  const proxy = await openProxy(t, url)
  const service = await openService(t, { env: { DATABASE_URL: proxy.url } })
  const direct = new pg.Client(url)
  await direct.connect()
  t.teardown(() => direct.end())
  /** Gives the resolver now what it would only be given after half a minute. */
  const makeDue = () => direct.query('update bookings set resolve_at = now() where resolve_at is not null')

  t.test('a booking is a 202, and confirmed once it can be written down', async (t) => {
    const body = await bookingBody(service)
    await atWork(service, '/invitees')
    const sent = book(service, body)
    await untilAtWork(service)
    proxy.cut()
    const answer = await sent
    t.match(answer, {
      status: 202,
      headers: { location: `/api/v1/bookings/${answer.body.id}`, 'retry-after': /^[1-9]\d*$/ },
      body: { status: 'pending', start_time: body.start_time }
    })
    proxy.mend()
    await makeDue()
    t.match(await untilStatus(service, answer.body.id, 'confirmed'), { calendly: { invitee: /invitees/ } })
    t.equal((await asked(service, 'POST', /^\/invitees$/)).length, 1)
  })

  t.test('a cancellation is a 202, and done once it can be written down', async (t) => {
    const { id } = (await book(service)).body
    await atWork(service, '/scheduled_events/*/cancellation')
    const sent = cancel(service, id, { reason: 'Plans changed' })
    await untilAtWork(service)
    proxy.cut()
    t.match(await sent, {
      status: 202,
      headers: { location: `/api/v1/bookings/${id}`, 'retry-after': /^[1-9]\d*$/ },
      body: { booking: { id, status: 'confirmed', change: { kind: 'cancel', state: 'pending' } } }
    })
    proxy.mend()
    await makeDue()
    t.match(await untilStatus(service, id, 'canceled'), {
      change: null,
      cancellation: { canceler_type: 'invitee', reason: 'Plans changed' }
    })
    t.equal((await asked(service, 'POST', /\/cancellation$/)).length, 1)
  })
})

/** Makes Calendly take its time over the next request of this path, long enough to be caught at it. */
async function atWork({ control }: Service, path: string): Promise<void> {
  await control('DELETE', '/faults')
  await control('POST', '/faults', {
    match: { method: 'POST', path },
    kind: 'latency',
    latency_ms: 1_500,
    times: 1
  })
}

async function untilAtWork({ control }: Service): Promise<void> {
  await until(
    () => control('GET', '/faults'),
    ({ faults: [fault] }) => fault.hits === 1
  )
}
