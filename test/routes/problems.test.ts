import t from 'tap'
import { engines } from '../support/database.ts'
import { adminKey, openService } from '../support/service.ts'
import { eventTypes } from './support/client.ts'

const booking = {
  event_type: eventTypes.thirtyMinutes,
  start_time: '2099-12-01T15:00:00Z',
  invitee: { name: 'Ada Example', email: 'ada@example.com', timezone: 'Europe/Berlin' }
}

for (const engine of engines) {
  t.test(`problems (${engine})`, async (t) => {
    const { call } = await openService(t, { engine, sandbox: null })
    const send = (body: unknown, headers: Record<string, string> = {}) =>
      call('POST', '/api/v1/bookings', { idempotencyKey: 'a-key', body, headers })
    const pointersOf = async (body: unknown) =>
      (await send(body)).body.errors.map(({ pointer }: { pointer: string }) => pointer).toSorted()

    t.test('a problem has every member of RFC 9457 that we promise, and says whose it is', async (t) => {
      const { status, headers, body } = await call('GET', '/api/v1/bookings/bkg_none', {
        headers: { 'x-request-id': 'from-outside.1_2' }
      })
      t.equal(status, 404)
      t.match(headers['content-type'], /^application\/problem\+json/)
      t.equal(headers['x-request-id'], 'from-outside.1_2')
      t.match(body, {
        type: /booking_not_found/,
        title: /\S/,
        status: 404,
        code: 'booking_not_found',
        detail: /\S/,
        instance: 'urn:request:from-outside.1_2'
      })
      t.notOk('errors' in body)
    })

    t.test('a request id is taken from outside only when it is harmless, else made', async (t) => {
      const idOf = async (given?: string) => {
        const headers = given === undefined ? {} : { 'x-request-id': given }
        return String((await call('GET', '/api/health/live', { headers })).headers['x-request-id'])
      }
      for (const good of ['a', 'A.b_c-9', 'x'.repeat(128)]) t.equal(await idOf(good), good)
      for (const bad of ['', 'x'.repeat(129), 'two words', 'a/b', 'ü', '"quoted"', '{"a":1}']) {
        const made = await idOf(bad)
        t.match(made, /^[\w.-]{8,128}$/)
        t.not(made, bad)
      }
      t.not(await idOf(), await idOf())
    })

    t.test('every answer carries its request id, whatever it is', async (t) => {
      for (const path of [
        '/api/health',
        '/api/v1/bookings',
        '/api/v1/bookings/none',
        '/nowhere',
        '/openapi.json'
      ]) {
        t.match((await call('GET', path)).headers['x-request-id'], /^[\w.-]{8,128}$/, path)
      }
    })

    t.test('what is nowhere is a 404, with and without a key', async (t) => {
      for (const path of [
        '/',
        '/api',
        '/api/v1',
        '/api/v1/nothing',
        '/api/v2/bookings',
        '/api/v1/bookings/a/b'
      ]) {
        for (const key of [adminKey, null]) {
          t.match(await call('GET', path, { key }), { status: 404, body: { code: 'not_found' } }, path)
        }
      }
    })

    t.test('a method that an address does not know is a 405 that names those it does', async (t) => {
      for (const [method, path, allowed] of [
        ['DELETE', '/api/v1/bookings', ['GET', 'HEAD', 'POST']],
        ['PATCH', '/api/v1/bookings/bkg_1', ['GET', 'HEAD']],
        ['GET', '/api/v1/bookings/bkg_1/cancel', ['POST']],
        ['PUT', '/api/v1/caller-keys/key_1', ['DELETE']],
        ['GET', '/api/webhooks/calendly', ['POST']],
        ['POST', '/api/health', ['GET', 'HEAD']]
      ] as const) {
        const { status, headers, body } = await call(method, path)
        t.match({ status, code: body.code }, { status: 405, code: 'method_not_allowed' }, `${method} ${path}`)
        t.same(String(headers.allow).split(', ').toSorted(), allowed)
      }
    })

    t.test('a body of another type is a 415', async (t) => {
      for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded']) {
        t.match(await send('{}', { 'content-type': type }), {
          status: 415,
          body: { code: 'unsupported_media_type' }
        })
      }
    })

    t.test('a body that is too large is a 413', async (t) => {
      const metadata = { note: 'x'.repeat(1024 * 1024) }
      t.match(await send({ ...booking, metadata }), { status: 413, body: { code: 'body_too_large' } })
    })

    t.test('a body that is no JSON is a 400 of its own', async (t) => {
      for (const body of ['', '{', '{"a":1,}', "{'a':1}", 'null null', '\u0000', '{"__proto__":{"a":1}}']) {
        t.match(await send(body), { status: 400, body: { code: 'invalid_json' } }, body)
      }
    })

    t.test('each fault of a body is named by its pointer', async (t) => {
      t.same(await pointersOf({ ...booking, colour: 'red', 'a/b~c': 1 }), ['#/a~1b~0c', '#/colour'])
      t.same(
        await pointersOf({
          ...booking,
          event_type: 5,
          invitee: { ...booking.invitee, email: 'nobody', nickname: 'Ada' },
          event_guests: ['a@example.com', 'nobody'],
          questions_and_answers: [{ question: 'Why?', answer: 42 }]
        }),
        [
          '#/event_guests/1',
          '#/event_type',
          '#/invitee/email',
          '#/invitee/nickname',
          '#/questions_and_answers/0/answer'
        ]
      )
      t.same(await pointersOf({}), ['#/event_type', '#/invitee', '#/start_time'])
      t.same(await pointersOf([]), ['#'])
    })

    t.test('each fault of a query is named too', async (t) => {
      const { status, body } = await call('GET', '/api/v1/bookings?limit=0&colour=red&__proto__=1')
      t.match({ status, code: body.code }, { status: 400, code: 'validation_failed' })
      t.same(body.errors.map(({ pointer }: { pointer: string }) => pointer).toSorted(), [
        '#/__proto__',
        '#/colour',
        '#/limit'
      ])
    })
  })
}
