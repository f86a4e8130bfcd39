import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { eventOut } from '../../src/schemas/events.ts'
import { openConsumer, type Post } from '../support/consumer.ts'
import { engines, inDatabase } from '../support/database.ts'
import { type Answer, openService } from '../support/service.ts'

const path = '/api/v1/event-endpoints'
const types = ['booking.confirmed', 'booking.canceled']
const from = '2020-01-01T00:00:00Z'

const isSignedWith = (secret: string, { body, headers }: Post) => {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>)
    return true
  } catch {
    return false
  }
}

for (const engine of engines) {
  t.test(`event endpoints (${engine})`, async (t) => {
    const { call } = await openService(t, { engine, sandbox: null })
    const consumer = await openConsumer(t)
    const create = (body: object = {}, options: { idempotencyKey?: string } = {}) =>
      call('POST', path, { body: { url: consumer.url, types, ...body }, ...options })
    const removeAll = async () => {
      const { body } = await call('GET', `${path}?limit=200`)
      for (const { id } of body.data) await call('DELETE', `${path}/${id}`)
    }
    t.afterEach(removeAll)
    /** Which of the secrets sign now. */
    const signing = async (id: string, secrets: readonly string[]) => {
      await call('POST', `${path}/${id}/test`)
      const post = consumer.posts.at(-1)
      return secrets.map((secret) => post !== undefined && isSignedWith(secret, post))
    }

    t.test('an endpoint is made with a secret that is shown once', async (t) => {
      const made = await create({ description: 'The shop', types: [...types, ...types] })
      t.match(made, {
        status: 201,
        headers: { location: `${path}/${made.body.id}` },
        body: {
          id: /^ep_/,
          url: consumer.url,
          types,
          description: 'The shop',
          status: 'enabled',
          disabled_reason: null,
          failing_since: null,
          secret: /^whsec_[A-Za-z0-9+/]{43}=$/
        }
      })
      t.equal(made.body.types.length, 2)
      const { secret, ...shown } = made.body
      t.same((await call('GET', `${path}/${shown.id}`)).body, shown)
      t.same((await call('GET', path)).body, { data: [shown], next_cursor: null })
    })

    t.test('a repeated request with its idempotency key gives the same endpoint, not another', async (t) => {
      const first = await create({}, { idempotencyKey: 'make' })
      const second = await create({}, { idempotencyKey: 'make' })
      t.equal(second.text, first.text)
      t.equal(second.headers['idempotent-replayed'], 'true')
      t.equal((await call('GET', path)).body.data.length, 1)

      const rotate = () =>
        call('POST', `${path}/${first.body.id}/rotate-secret`, { idempotencyKey: 'rotate', body: {} })
      t.equal((await rotate()).text, (await rotate()).text)
    })

    t.test('endpoints are listed newest first, page by page', async (t) => {
      const made: string[] = []
      for (let i = 0; i < 5; i++) made.unshift((await create()).body.id)
      const seen: string[] = []
      let cursor = ''
      do {
        const { body } = await call('GET', `${path}?limit=2${cursor && `&cursor=${cursor}`}`)
        seen.push(...body.data.map(({ id }: { id: string }) => id))
        cursor = body.next_cursor ?? ''
      } while (cursor !== '')
      t.same([...seen].sort().reverse(), seen)
      t.same([...seen].sort(), [...made].sort())
      t.match(await call('GET', `${path}?cursor=abcd`), { status: 400, body: { code: 'invalid_cursor' } })
    })

    t.test('what is not given in a change stays as it is', async (t) => {
      const { id, secret, ...before } = (await create({ description: 'old' })).body
      const change = async (body: object) => (await call('PATCH', `${path}/${id}`, { body })).body
      t.match(await change({ description: null }), { ...before, description: null, updated_at: String })
      t.match(await change({ types: ['hold.lost'] }), { url: before.url, types: ['hold.lost'] })
      t.match(await change({ url: `${consumer.url}/new` }), {
        url: `${consumer.url}/new`,
        types: ['hold.lost']
      })
      t.match(await change({ disabled: true }), { status: 'disabled', disabled_reason: 'requested' })
      t.match(await change({}), { status: 'disabled', disabled_reason: 'requested' })
      t.match(await change({ disabled: false }), { status: 'enabled', disabled_reason: null })
      t.match((await call('GET', `${path}/${id}`)).body, { url: `${consumer.url}/new`, description: null })
    })

    t.test('bad input is refused, and says where', async (t) => {
      const cases: [body: unknown, pointer: string, detail: RegExp][] = [
        [{ types }, '#/url', /required/],
        [{ url: '', types }, '#/url', /empty/],
        [{ url: 'nowhere', types }, '#/url', /not a URL/],
        [{ url: 'ftp://shop.example.com/', types }, '#/url', /begin with/],
        [{ url: 'https://user:password@shop.example.com/', types }, '#/url', /credentials/],
        [{ url: 'https://shop.example.com/#x', types }, '#/url', /fragment/],
        [{ url: `https://shop.example.com/${'x'.repeat(2_000)}`, types }, '#/url', /2000/],
        [{ url: consumer.url }, '#/types', /required/],
        [{ url: consumer.url, types: [] }, '#/types', /must name/],
        [
          { url: consumer.url, types: ['booking.eaten'] },
          '#/types/0',
          /booking\.eaten is not a type of event/
        ],
        [{ url: consumer.url, types: [...types, '*'] }, '#/types/2', /\* is not/],
        [{ url: consumer.url, types, secret: 'mine' }, '#/secret', /not known/],
        [{ url: consumer.url, types, description: 'a\0b' }, '#/description', /NUL/]
      ]
      for (const [body, pointer, detail] of cases) {
        const answer = await call('POST', path, { body })
        t.match(answer, { status: 400, body: { code: 'validation_failed', errors: [{ pointer, detail }] } })
      }
      const { id } = (await create()).body
      for (const body of [{ url: 'nowhere' }, { types: [] }, { disabled: 'yes' }, { status: 'enabled' }]) {
        t.equal((await call('PATCH', `${path}/${id}`, { body })).status, 400, JSON.stringify(body))
      }
      t.equal((await call('POST', `${path}/${id}/replay`, { body: { from: '2020-01-01' } })).status, 400)
      t.equal((await call('GET', `${path}/${id}/deliveries?status=lost`)).status, 400)
      t.match(await call('GET', `${path}/${id}/deliveries?cursor=x`), { body: { code: 'invalid_cursor' } })
    })

    t.test('a tenant has at most 50, also when they are asked for at once', async (t) => {
      const answers = await Promise.all(Array.from({ length: 55 }, () => create()))
      t.equal(answers.filter(({ status }) => status === 201).length, 50)
      const refused = answers.filter(({ status }) => status !== 201)
      for (const { body } of refused) t.match(body, { code: 'too_many_endpoints', detail: /50/ })
      t.equal((await call('GET', `${path}?limit=200`)).body.data.length, 50)
    })

    t.test('a test event is sent at once, signed, and in no log', async (t) => {
      const { id, secret } = (await create()).body
      const tested = await call('POST', `${path}/${id}/test`)
      t.match(tested, {
        status: 200,
        body: { delivered: true, status: 204, error: null, duration_ms: Number }
      })
      const post = consumer.posts.at(-1)
      if (!post) throw new Error('nothing arrived')
      const event = new Webhook(secret).verify(post.body, post.headers as Record<string, string>)
      t.match(event, {
        id: post.headers['webhook-id'],
        type: 'event_endpoint.test',
        subject: id,
        sequence: 0,
        data: { endpoint: { id, status: 'enabled' } }
      })
      t.notMatch(post.body.toString(), secret)
      t.same((await call('GET', `${path}/${id}/deliveries`)).body, { data: [], next_cursor: null })

      consumer.respond((response) => void response.writeHead(500).end('private'))
      const failed = await call('POST', `${path}/${id}/test`)
      consumer.respond((response) => void response.writeHead(204).end())
      t.match(failed.body, { delivered: false, status: 500, error: 'answered 500' })
    })

    t.test('a rotated secret signs, and the old one beside it', async (t) => {
      const { id, secret } = (await create()).body
      t.same(await signing(id, [secret]), [true])
      const rotated = await call('POST', `${path}/${id}/rotate-secret`, { body: {} })
      t.match(rotated, { status: 200, body: { id, secret: /^whsec_/ } })
      t.not(rotated.body.secret, secret)
      t.same(await signing(id, [secret, rotated.body.secret]), [true, true])

      const rotate = () => call('POST', `${path}/${id}/rotate-secret`, { body: {} })
      for (let i = 2; i < 10; i++) t.equal((await rotate()).status, 200)
      t.match(await rotate(), { status: 409, body: { code: 'too_many_secrets', detail: /24 hours/ } })
    })

    t.test('an endpoint that is deleted, or was never there, is not found', async (t) => {
      const { id } = (await create()).body
      t.equal((await call('DELETE', `${path}/${id}`)).status, 204)
      for (const gone of [id, 'ep_unknown']) {
        const calls: [string, string, unknown?][] = [
          ['GET', `${path}/${gone}`],
          ['PATCH', `${path}/${gone}`, { description: 'x' }],
          ['DELETE', `${path}/${gone}`],
          ['POST', `${path}/${gone}/rotate-secret`, {}],
          ['POST', `${path}/${gone}/test`, {}],
          ['POST', `${path}/${gone}/replay`, { from }],
          ['GET', `${path}/${gone}/deliveries`]
        ]
        for (const [method, at, body] of calls) {
          const answer: Answer = await call(method, at, body === undefined ? {} : { body })
          t.match(answer, { status: 404, body: { code: 'not_found' } }, `${method} ${at}`)
        }
      }
    })

    t.test('nothing is replayed to an endpoint that is disabled', async (t) => {
      const { id } = (await create()).body
      const replay = () => call('POST', `${path}/${id}/replay`, { body: { from } })
      t.match(await replay(), { status: 202, body: { queued: 0 } })
      await call('PATCH', `${path}/${id}`, { body: { disabled: true } })
      t.match(await replay(), { status: 409, body: { code: 'endpoint_disabled' } })
    })

    t.test('a replay is of a time on or of what was given up, and of nothing else', async (t) => {
      const { id } = (await create()).body
      const replay = (body: unknown) => call('POST', `${path}/${id}/replay`, { body })
      t.match(await replay({ status: 'failed' }), { status: 202, body: { queued: 0 } })
      for (const body of [{}, { from, status: 'failed' }, { status: 'pending' }, { from: 1 }, []])
        t.match(
          await replay(body),
          { status: 400, body: { errors: [{ pointer: '#' }] } },
          JSON.stringify(body)
        )
    })

    t.test(
      'what a request does not take is refused by name, and an empty body of any type is none',
      async (t) => {
        const created = await create({ description: null })
        t.match(created, { status: 201, body: { description: null } })
        const { id, updated_at } = created.body
        t.equal((await call('PATCH', `${path}/${id}`, { body: {} })).body.updated_at, updated_at)
        for (const action of ['test', 'rotate-secret']) {
          for (const body of [undefined, '', {}])
            t.equal((await call('POST', `${path}/${id}/${action}`, { body })).status, 200, String(body))
          const refused = await call('POST', `${path}/${id}/${action}`, {
            body: { url: 'https://x.example' }
          })
          t.match(refused, { status: 400, body: { errors: [{ pointer: '#/url' }] } }, action)
        }
        t.match(await call('DELETE', `${path}/${id}?force=true`), {
          status: 400,
          body: { errors: [{ pointer: '#/force' }] }
        })
        const rotated = await call('GET', `${path}/${id}`)
        t.ok(rotated.body.updated_at > updated_at, 'a new secret is a change')
      }
    )

    t.test('what is sent to try an endpoint is what the document says', async (t) => {
      const { id } = (await create()).body
      await call('POST', `${path}/${id}/test`)
      const sent = JSON.parse(String(consumer.posts.at(-1)?.body))
      t.match(sent, { type: 'event_endpoint.test', subject: id, sequence: 0 })
      t.same(eventOut.parse(sent), sent)
    })
  })

  t.test(`every change of an endpoint has an audit row, without secret or path (${engine})`, async (t) => {
    const { app, call, database } = await openService(t, { engine, sandbox: null })
    const url = 'https://shop.example.com/p4th?token=t0ken'
    const { id, secret } = (await call('POST', path, { body: { url, types } })).body
    await call('PATCH', `${path}/${id}`, { body: { description: 'x' } })
    const rotated = await call('POST', `${path}/${id}/rotate-secret`, { body: {} })
    await call('DELETE', `${path}/${id}`)
    await app.close()
    const rows = await inDatabase(database, (db) =>
      db.selectFrom('audit_log').selectAll().where('subject', '=', id).orderBy('id').execute()
    )
    t.same(
      rows.map(({ actor, action }) => `${actor} ${action}`),
      ['created', 'changed', 'secret_rotated', 'deleted'].map((what) => `caller:admin event_endpoint.${what}`)
    )
    for (const text of [secret, rotated.body.secret, 't0ken', 'p4th']) {
      t.notOk(JSON.stringify(rows).includes(text))
    }
  })
}
