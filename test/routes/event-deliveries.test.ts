import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { openConsumer, type Post } from '../support/consumer.ts'
import { engines } from '../support/database.ts'
import { type Answer, openService, type Service, until } from '../support/service.ts'
import { webhookBody } from '../support/webhook.ts'
import { deliver, hourMs, untilApplied } from './support/client.ts'

const path = '/api/v1/event-endpoints'
const types = ['booking.confirmed', 'booking.canceled']

type Body = Answer['body']

const idOf = ({ headers }: Post) => String(headers['webhook-id'])
const eventOf = ({ body }: Post): Body => JSON.parse(String(body))

async function addEndpoint({ call }: Service, url: string, wanted: readonly string[] = types): Promise<Body> {
  const { status, body, text } = await call('POST', path, { body: { url, types: wanted } })
  if (status !== 201) throw new Error(text)
  return body
}

/** Somebody books on Calendly's page, and cancels when told so; each is a fact that is told of. */
async function happen(
  service: Service,
  id: string = randomUUID(),
  { canceled = false } = {}
): Promise<string> {
  await deliver(service, webhookBody({ id }))
  if (canceled) {
    await untilApplied(service)
    await deliver(service, webhookBody({ id, event: 'invitee.canceled' }))
  }
  await untilApplied(service)
  return id
}

const deliveriesOf = async ({ call }: Service, id: string, filter = ''): Promise<Body[]> =>
  (await call('GET', `${path}/${id}/deliveries?limit=200&${filter}`)).body.data

/** The endpoint's latest delivery once it is like this. */
const untilLatest = async (service: Service, id: string, isSo: (delivery: Body) => boolean): Promise<Body> =>
  (
    await until(
      () => deliveriesOf(service, id),
      ([latest]) => latest !== undefined && isSo(latest)
    )
  )[0]

const untilPosts = (posts: readonly Post[], count: number) =>
  until(
    async () => posts.length,
    (length) => length >= count
  )

for (const engine of engines) {
  t.test(`event deliveries (${engine})`, async (t) => {
    const service = await openService(t, { engine, env: { EVENT_RETRY_SECONDS: '0,0.05,0.05,0.05' } })
    const { call } = service
    t.afterEach(async () => {
      const { body } = await call('GET', `${path}?limit=200`)
      for (const { id } of body.data) await call('DELETE', `${path}/${id}`)
    })

    t.test('what happens to a booking arrives signed and in order', async (t) => {
      const consumer = await openConsumer(t)
      const { id, secret } = await addEndpoint(service, consumer.url)
      await happen(service, randomUUID(), { canceled: true })
      await untilPosts(consumer.posts, 2)
      const webhook = new Webhook(secret)
      for (const { body, headers } of consumer.posts) webhook.verify(body, headers as Record<string, string>)
      const [confirmed, canceled] = consumer.posts.map(eventOf)
      t.match(confirmed, {
        type: 'booking.confirmed',
        sequence: 1,
        data: { booking: { status: 'confirmed' } }
      })
      t.match(canceled, { type: 'booking.canceled', sequence: 2, subject: confirmed.subject })
      t.same(consumer.posts.map(idOf), [confirmed.id, canceled.id])
      await untilLatest(service, id, ({ status }) => status === 'succeeded')
      t.match(await deliveriesOf(service, id), [
        {
          event_id: canceled.id,
          type: 'booking.canceled',
          status: 'succeeded',
          attempts: 1,
          next_attempt_at: null,
          last_attempt: { at: /Z$/, status: 204, error: null, duration_ms: Number }
        },
        { event_id: confirmed.id, status: 'succeeded' }
      ])
      t.same((await call('GET', `/api/v1/events/${confirmed.id}`)).text, String(consumer.posts[0]?.body))
    })

    t.test('an endpoint hears of the types that it asked for', async (t) => {
      const consumer = await openConsumer(t)
      await addEndpoint(service, consumer.url, ['booking.canceled'])
      await happen(service, randomUUID(), { canceled: true })
      await untilPosts(consumer.posts, 1)
      t.same(
        consumer.posts.map((post) => eventOf(post).type),
        ['booking.canceled']
      )
    })

    t.test('what is not taken is sent again, the same bytes under the same id', async (t) => {
      const answers = [500, 302, 204]
      const consumer = await openConsumer(t, (response) => {
        response.writeHead(answers.shift() ?? 204, { location: `${consumer.url}/elsewhere` }).end()
      })
      const { id } = await addEndpoint(service, consumer.url)
      await happen(service)
      await untilLatest(service, id, ({ status }) => status === 'succeeded')
      t.match(await deliveriesOf(service, id), [{ attempts: 3, last_attempt: { status: 204 } }])
      const [first, ...others] = consumer.posts
      t.equal(others.length, 2)
      for (const post of others)
        t.same([post.path, idOf(post), post.body], [first?.path, first && idOf(first), first?.body])
      t.match((await call('GET', `${path}/${id}`)).body, { failing_since: null })
    })

    t.test('what is never taken is dead, is told of, and comes when it is replayed', async (t) => {
      const consumer = await openConsumer(t, (response) => void response.writeHead(500).end('private'))
      const { id } = await addEndpoint(service, consumer.url)
      await happen(service)
      const dead = await untilLatest(service, id, ({ status }) => status === 'failed')
      t.match(dead, {
        attempts: 4,
        next_attempt_at: null,
        last_attempt: { status: 500, error: 'answered 500' }
      })
      t.same(await deliveriesOf(service, id, 'status=failed'), [dead])
      t.match((await call('GET', `${path}/${id}`)).body, { status: 'enabled', failing_since: /Z$/ })
      t.match((await call('GET', '/api/health')).body.queues.outbox, { pending: 0, dead: 1, lag_seconds: 0 })
      const scraped = (await call('GET', '/metrics')).text
      t.match(scraped, /^event_deliveries_dead 1$/m)
      t.match(scraped, /^event_delivery_attempts_total\{outcome="dead"\} 1$/m)
      t.match(scraped, /^event_endpoints\{status="enabled"\} 1$/m)

      consumer.respond((response) => void response.writeHead(200).end())
      const from = new Date(Date.now() - hourMs).toISOString()
      const replayed = await call('POST', `${path}/${id}/replay`, { body: { from } })
      t.equal(replayed.status, 202)
      await untilLatest(service, id, ({ status }) => status === 'succeeded')
      const again = await until(
        () => deliveriesOf(service, id),
        (all) => all.every(({ status }) => status === 'succeeded')
      )
      t.equal(again.length, replayed.body.queued, 'and all that happened before, which it had not been told')
      t.equal(
        idOf(consumer.posts.filter((post) => idOf(post) === dead.event_id).at(-1) as Post),
        dead.event_id
      )
      t.match((await call('GET', `${path}/${id}`)).body, { failing_since: null })
    })

    t.test('consumers that answer badly are told apart', async (t) => {
      const cases: Record<string, [(response: ServerResponse) => void, object]> = {
        '3xx': [
          (response) => void response.writeHead(308, { location: 'http://127.0.0.1/' }).end(),
          { status: 308, error: 'answered 308, which is not followed' }
        ],
        '404': [(response) => void response.writeHead(404).end(), { status: 404, error: 'answered 404' }],
        'half a status line': [
          ({ socket }) => void socket?.end('HTTP/1.1 20'),
          { status: null, error: /^(connection lost before the answer|answer not readable as HTTP)$/ }
        ],
        'not HTTP': [
          ({ socket }) => void socket?.end('220 mail.example.com ESMTP\r\n'),
          { status: null, error: 'answer not readable as HTTP' }
        ],
        'hung up': [
          ({ socket }) => void socket?.destroy(),
          { status: null, error: 'connection lost before the answer' }
        ]
      }
      for (const [name, [respond, attempt]] of Object.entries(cases)) {
        const consumer = await openConsumer(t, respond)
        const { id } = await addEndpoint(service, consumer.url)
        await happen(service)
        const dead = await untilLatest(service, id, ({ status }) => status === 'failed')
        t.match(dead, { attempts: 4, last_attempt: attempt }, name)
        await call('DELETE', `${path}/${id}`)
      }
    })

    t.test('consumers that cannot be reached are told apart', async (t) => {
      const consumer = await openConsumer(t)
      const urls: [url: string, error: string | RegExp][] = [
        ['http://127.0.0.1:9/', 'connection refused'],
        [consumer.url.replace('http:', 'https:'), 'TLS failed or certificate not accepted']
      ]
      for (const [url, error] of urls) {
        const { id } = await addEndpoint(service, url)
        await happen(service)
        const dead = await untilLatest(service, id, ({ status }) => status === 'failed')
        t.match(dead, { attempts: 4, last_attempt: { status: null, error } }, url)
        await call('DELETE', `${path}/${id}`)
      }
    })

    t.test('huge answers and answers without end are cut off: their status counts', async (t) => {
      const consumer = await openConsumer(t, (response) => {
        response.writeHead(200)
        const pour = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536))) {}
        }
        response.on('drain', pour)
        pour()
      })
      const { id } = await addEndpoint(service, consumer.url)
      await happen(service)
      await untilLatest(service, id, ({ status }) => status === 'succeeded')

      consumer.respond((response) => void response.writeHead(200).write('and'))
      await happen(service)
      await untilLatest(service, id, ({ status, attempts }) => status === 'succeeded' && attempts === 1)
      t.equal(consumer.posts.length, 2)
    })

    t.test('410 disables an endpoint, and others hear of it', async (t) => {
      const gone = await openConsumer(t, (response) => void response.writeHead(410).end())
      const witness = await openConsumer(t)
      const { id } = await addEndpoint(service, gone.url)
      await addEndpoint(service, witness.url, ['event_endpoint.disabled'])
      await happen(service)
      await untilPosts(witness.posts, 1)
      t.match(witness.posts.map(eventOf), [
        {
          type: 'event_endpoint.disabled',
          subject: id,
          sequence: 1,
          data: { endpoint: { id, status: 'disabled', disabled_reason: 'gone' } }
        }
      ])
      await happen(service)
      t.equal(gone.posts.length, 1)
      t.match(await deliveriesOf(service, id), [
        { status: 'failed', attempts: 1, last_attempt: { status: 410 } }
      ])
      t.match((await call('GET', '/metrics')).text, /^event_endpoints\{status="disabled"\} 1$/m)

      gone.respond((response) => void response.writeHead(204).end())
      await call('PATCH', `${path}/${id}`, { body: { disabled: false } })
      await happen(service)
      await untilLatest(service, id, ({ status }) => status === 'succeeded')
    })

    t.test('one that failed for five days is disabled, and loses nothing once it is mended', async (t) => {
      const consumer = await openConsumer(t, (response) => void response.writeHead(500).end())
      const witness = await openConsumer(t)
      const { id } = await addEndpoint(service, consumer.url)
      await addEndpoint(service, witness.url, ['event_endpoint.disabled'])
      const dead = async () => service.app.services.dispatcher.outcomes().dead
      const before = await dead()
      await happen(service)
      await until(dead, (count) => count > before)
      await service.app.database.transact(async ({ eventEndpoints }) => {
        const endpoint = await eventEndpoints.lock('default', id)
        const failingSince = Date.now() - 5 * 24 * hourMs
        if (endpoint) await eventEndpoints.update({ ...endpoint, failingSince })
      })
      await happen(service)
      await untilPosts(witness.posts, 1)
      t.match(witness.posts.map(eventOf), [
        { subject: id, data: { endpoint: { disabled_reason: 'failing' } } }
      ])
      const disabled = (await call('GET', `${path}/${id}`)).body
      t.match(disabled, { status: 'disabled', disabled_reason: 'failing', failing_since: /Z$/ })
      await happen(service)
      t.equal((await deliveriesOf(service, id)).length, 2, 'nothing is queued meanwhile')

      consumer.respond((response) => void response.writeHead(204).end())
      const mended = await call('PATCH', `${path}/${id}`, { body: { disabled: false } })
      t.match(mended.body, { status: 'enabled', disabled_reason: null, failing_since: null })
      const replay = (body: unknown) => call('POST', `${path}/${id}/replay`, { body })
      t.match(await replay({ status: 'failed' }), { status: 202, body: { queued: 2 } })
      t.match(await replay({ from: disabled.updated_at }), { status: 202, body: { queued: 1 } })
      await until(
        () => deliveriesOf(service, id, 'status=succeeded'),
        ({ length }) => length === 3
      )
    })

    t.test('an endpoint that never answers delays nobody else, and can be disabled meanwhile', async (t) => {
      const silent = await openConsumer(t, () => {})
      const consumer = await openConsumer(t)
      const { id } = await addEndpoint(service, silent.url)
      await addEndpoint(service, consumer.url)
      for (let n = 0; n < 8; n++) await happen(service)
      await untilPosts(consumer.posts, 8)
      t.equal(silent.posts.length, 4, 'it has that many at once')
      t.equal((await call('PATCH', `${path}/${id}`, { body: { disabled: true } })).status, 200)
      const left = await deliveriesOf(service, id)
      t.equal(left.length, 8)
      for (const delivery of left) t.match(delivery, { status: 'failed', next_attempt_at: null })
    })

    t.test('a slow endpoint gets everything once, when it answers at last', async (t) => {
      const answers: ServerResponse[] = []
      const consumer = await openConsumer(t, (response) => void answers.push(response))
      const { id } = await addEndpoint(service, consumer.url)
      for (let n = 0; n < 6; n++) await happen(service)
      await untilPosts(consumer.posts, 4)
      consumer.respond((response) => void response.writeHead(204).end())
      for (const response of answers) response.writeHead(204).end()
      await until(
        () => deliveriesOf(service, id, 'status=succeeded'),
        ({ length }) => length === 6
      )
      t.equal(new Set(consumer.posts.map(idOf)).size, 6)
      t.equal(consumer.posts.length, 6, 'nothing twice')
    })

    t.test('an endpoint deleted while it is told of something leaves nothing behind', async (t) => {
      const answers: ServerResponse[] = []
      const consumer = await openConsumer(t, (response) => void answers.push(response))
      const { id } = await addEndpoint(service, consumer.url)
      await happen(service)
      await untilPosts(consumer.posts, 1)
      t.equal((await call('DELETE', `${path}/${id}`)).status, 204)
      for (const response of answers) response.writeHead(500).end()
      t.match((await call('GET', '/api/health')).body.queues.outbox, { pending: 0 })
      t.equal((await call('GET', `${path}/${id}/deliveries`)).status, 404)
    })
  })

  t.test(`Retry-After is obeyed, in seconds and as a date (${engine})`, async (t) => {
    const service = await openService(t, { engine, env: { EVENT_RETRY_SECONDS: '0,1,7200' } })
    const inSeconds = (seconds: number) => String(seconds)
    const asDate = (seconds: number) => new Date(Date.now() + seconds * 1_000).toUTCString()
    for (const write of [inSeconds, asDate]) {
      const consumer = await openConsumer(t, (response) => {
        response.writeHead(429, { 'retry-after': write(3_600) }).end()
      })
      const { id } = await addEndpoint(service, consumer.url)
      await happen(service)
      const latest = await untilLatest(service, id, ({ attempts }) => attempts === 1)
      t.match(latest, { status: 'pending', last_attempt: { status: 429, error: 'answered 429' } })
      const waitMs = Date.parse(latest.next_attempt_at) - Date.parse(latest.last_attempt.at)
      t.ok(waitMs > 3_590_000 && waitMs < 3_660_000, String(waitMs))
    }
  })
}
