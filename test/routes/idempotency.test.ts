import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { type Answer, openService, until } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import { asked, book, bookingBody, bookings, cancel, eventTypes, freeTimes, read } from './support/client.ts'

for (const engine of engines) {
  t.test(`idempotency keys (${engine})`, async (t) => {
    const system = movableSystem()
    const service = await openService(t, { engine, system, sandbox: { now: system.now } })
    const { call, control } = service
    const posts = async () => (await asked(service, 'POST', /^\/invitees$/)).length
    const callerKey = async (name: string, scopes = ['bookings:write', 'availability:read']) =>
      (await call('POST', '/api/v1/caller-keys', { body: { name, scopes } })).body
    const isReplay = ({ headers }: Answer) => headers['idempotent-replayed'] === 'true'

    t.test('a replay is the first answer byte for byte, and nothing happens again', async (t) => {
      const before = await posts()
      const idempotencyKey = randomUUID()
      const body = await bookingBody(service)
      const first = await book(service, body, { idempotencyKey })
      const again = await book(service, body, { idempotencyKey })
      t.equal(first.status, 201)
      t.notOk('idempotent-replayed' in first.headers)
      t.match(again, {
        status: 201,
        text: first.text,
        headers: { 'idempotent-replayed': 'true', 'content-type': String(first.headers['content-type']) }
      })
      t.equal(await posts(), before + 1)
    })

    t.test(
      'neither the order of members, nor white space, nor quotes around the key make it another',
      async (t) => {
        const idempotencyKey = randomUUID()
        const body = await bookingBody(service, { metadata: { a: '1', b: '2' } })
        const first = await book(service, body, { idempotencyKey })
        const turned = Object.fromEntries(Object.entries({ ...body, metadata: { b: '2', a: '1' } }).reverse())
        const again = await call('POST', '/api/v1/bookings', {
          idempotencyKey: `"${idempotencyKey}"`,
          body: JSON.stringify(turned, null, 4)
        })
        t.equal(again.text, first.text)
        t.ok(isReplay(again))
      }
    )

    t.test('another body, another booking or another route under the same key is a 422', async (t) => {
      const reused = { status: 422, body: { code: 'idempotency_key_reused' } }
      const idempotencyKey = randomUUID()
      const one = (await book(service, {}, { idempotencyKey })).body
      t.match(await book(service, {}, { idempotencyKey }), reused)
      const two = (await book(service)).body
      t.match(await cancel(service, one.id, {}, { idempotencyKey }), reused)
      const another = randomUUID()
      await cancel(service, one.id, {}, { idempotencyKey: another })
      t.match(await cancel(service, two.id, {}, { idempotencyKey: another }), reused)
      t.equal((await read(service, two.id)).body.status, 'confirmed')
    })

    t.test('while the first is running a second is told to come back', async (t) => {
      await control('POST', '/faults', {
        match: { method: 'POST', path: '/invitees' },
        kind: 'latency',
        latency_ms: 500,
        times: 1
      })
      const idempotencyKey = randomUUID()
      const body = await bookingBody(service, { session_id: 'slow' })
      const first = book(service, body, { idempotencyKey })
      await until(
        () => bookings(service),
        (all) => all.some(({ session_id }) => session_id === 'slow')
      )
      t.match(await book(service, body, { idempotencyKey }), {
        status: 409,
        headers: { 'retry-after': /^[1-9]\d*$/ },
        body: { code: 'idempotency_in_progress' }
      })
      t.equal((await first).status, 201)
      t.ok(isReplay(await book(service, body, { idempotencyKey })))
    })

    t.test('of many at once under one key one runs', async (t) => {
      const before = await posts()
      const idempotencyKey = randomUUID()
      const body = await bookingBody(service)
      const all = await Promise.all(Array.from({ length: 20 }, () => book(service, body, { idempotencyKey })))
      const ids = all.filter(({ status }) => status === 201).map((answer) => answer.body.id)
      t.equal(new Set(ids).size, 1)
      t.ok(all.every((answer) => answer.status === 201 || answer.body.code === 'idempotency_in_progress'))
      t.equal(await posts(), before + 1)
    })

    t.test('an answer that told where to look and when tells so again', async (t) => {
      const loseAnswer = (path: string) =>
        control('POST', '/faults', { match: { method: 'POST', path }, kind: 'drop_after', times: 1 })
      const { id } = (await book(service)).body
      const body = await bookingBody(service)
      const asks: [string, (idempotencyKey: string) => Promise<Answer>][] = [
        ['/invitees', (idempotencyKey) => book(service, body, { idempotencyKey })],
        ['/scheduled_events/*/cancellation', (idempotencyKey) => cancel(service, id, {}, { idempotencyKey })]
      ]
      for (const [path, ask] of asks) {
        const idempotencyKey = randomUUID()
        await loseAnswer(path)
        const first = await ask(idempotencyKey)
        const again = await ask(idempotencyKey)
        t.match(first, {
          status: 202,
          headers: { location: /^\/api\/v1\/bookings\/bkg_/, 'retry-after': /^[1-9]\d*$/ }
        })
        t.match(again, {
          status: 202,
          text: first.text,
          headers: {
            'idempotent-replayed': 'true',
            location: String(first.headers.location),
            'retry-after': String(first.headers['retry-after'])
          }
        })
      }
    })

    t.test('a refusal decided once stays decided', async (t) => {
      const { body } = await book(service)
      const wanted = await bookingBody(service, { start_time: body.start_time })
      const idempotencyKey = randomUUID()
      const refused = await book(service, wanted, { idempotencyKey })
      t.equal(refused.status, 409)
      await cancel(service, body.id)
      const again = await book(service, wanted, { idempotencyKey })
      t.match(again, { status: 409, text: refused.text })
      t.match(again.headers, {
        'idempotent-replayed': 'true',
        'content-type': /^application\/problem\+json/
      })
      t.equal((await book(service, wanted)).status, 201)
    })

    t.test(
      'what was never judged leaves the key unused: a faulty body, a wrong scope, a failure of ours',
      async (t) => {
        const idempotencyKey = randomUUID()
        const body = await bookingBody(service)
        const { key } = await callerKey('admin', ['analytics:read'])
        await control('POST', '/faults', {
          match: { path: '/invitees' },
          kind: 'rate_limit',
          limit: 10,
          times: 1
        })
        const refused = [
          await book(service, { ...body, unknown: true }, { idempotencyKey }),
          await book(service, body, { idempotencyKey, key }),
          await book(service, body, { idempotencyKey, key: null }),
          await book(service, body, { idempotencyKey })
        ]
        t.same(
          refused.map(({ status }) => status),
          [400, 403, 401, 429]
        )
        system.moveTo(system.now() + 60_000)
        const booked = await book(service, body, { idempotencyKey })
        t.equal(booked.status, 201)
        t.notOk(isReplay(booked))
      }
    )

    t.test('a key belongs to the name of the caller: rotating a caller key doubles nothing', async (t) => {
      const old = await callerKey('shop')
      const idempotencyKey = randomUUID()
      const body = await bookingBody(service)
      const first = await book(service, body, { idempotencyKey, key: old.key })
      t.equal(first.status, 201)
      const { key } = await callerKey('shop')
      await call('DELETE', `/api/v1/caller-keys/${old.id}`)
      const again = await book(service, body, { idempotencyKey, key })
      t.equal(again.text, first.text)
      t.ok(isReplay(again))
      const stranger = await callerKey('kiosk')
      const [start_time] = await freeTimes(service, eventTypes.introCall)
      const theirs = await book(
        service,
        { event_type: eventTypes.introCall, start_time },
        { idempotencyKey, key: stranger.key }
      )
      t.equal(theirs.status, 201)
      t.notOk(isReplay(theirs))
    })

    t.test('booking and canceling demand one, making a caller key does not', async (t) => {
      const body = await bookingBody(service)
      const required = { status: 400, body: { code: 'idempotency_key_required' } }
      t.match(await call('POST', '/api/v1/bookings', { body }), required)
      const cancelBody = { canceler_type: 'host' }
      t.match(await call('POST', '/api/v1/bookings/bkg_none/cancel', { body: cancelBody }), required)
      t.not((await callerKey('optional')).key, (await callerKey('optional')).key)
    })

    t.test('a key has 1 to 255 visible ASCII characters', async (t) => {
      const made = (idempotencyKey: string) =>
        call('POST', '/api/v1/caller-keys', { idempotencyKey, body: { name: 'a', scopes: ['admin'] } })
      for (const wrong of [
        '',
        '""',
        'two words',
        'x'.repeat(256),
        'x'.repeat(300),
        'schlüssel',
        'tab\there'
      ]) {
        t.match(await made(wrong), { status: 400, body: { code: 'invalid_idempotency_key' } }, `"${wrong}"`)
      }
      for (const right of ['!', 'x'.repeat(255), `"${'y'.repeat(255)}"`, '~#%&"']) {
        t.equal((await made(right)).status, 201, right)
      }
    })
  })
}
