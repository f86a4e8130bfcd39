import t from 'tap'
import { engines } from '../support/database.ts'
import { openService, until } from '../support/service.ts'

for (const engine of engines) {
  t.test(`caller keys (${engine})`, async (t) => {
    const { call } = await openService(t, { engine })
    const create = (name: string, scopes: string[], idempotencyKey?: string) =>
      call('POST', '/api/v1/caller-keys', {
        body: { name, scopes },
        ...(idempotencyKey !== undefined && { idempotencyKey })
      })
    const list = async () => (await call('GET', '/api/v1/caller-keys')).body

    t.test('a key is shown once, when it is made', async (t) => {
      const made = await create('website', ['availability:read', 'bookings:write'])
      t.match(made, {
        status: 201,
        body: {
          id: /^key_/,
          name: 'website',
          scopes: ['availability:read', 'bookings:write'],
          key: /^\S{43,}$/,
          created_at: /Z$/
        }
      })
      const { key, ...shown } = made.body
      t.same((await list()).data, [shown])
      t.notMatch(JSON.stringify(await list()), key)
    })

    t.test('a key serves its scopes, and what they include, but nothing else', async (t) => {
      const { key } = (await create('clerk', ['bookings:write'])).body
      t.equal((await call('GET', '/api/v1/bookings', { key })).status, 200)
      t.match(await call('GET', '/api/v1/event-types', { key }), {
        status: 403,
        body: { code: 'insufficient_scope', detail: /availability:read/ }
      })
    })

    t.test('admin includes no other scope', async (t) => {
      const { key } = (await create('operator', ['admin'])).body
      t.equal((await call('GET', '/api/v1/caller-keys', { key })).status, 200)
      t.match(await call('GET', '/api/v1/bookings', { key }), {
        status: 403,
        body: { code: 'insufficient_scope' }
      })
    })

    t.test('a repeated request with its idempotency key gives the same key, not another', async (t) => {
      const before = (await list()).data.length
      const first = await create('twice', ['availability:read'], 'make-a-key')
      const second = await create('twice', ['availability:read'], 'make-a-key')
      t.equal(second.text, first.text)
      t.equal(second.headers['idempotent-replayed'], 'true')
      t.equal((await list()).data.length, before + 1)
    })

    t.test('a revoked key is refused everywhere within seconds, and gone from the list', async (t) => {
      const { id, key } = (await create('leaver', ['bookings:read'])).body
      t.equal((await call('GET', '/api/v1/bookings', { key })).status, 200)
      t.equal((await call('DELETE', `/api/v1/caller-keys/${id}`)).status, 204)
      const refused = await until(
        () => call('GET', '/api/v1/bookings', { key }),
        ({ status }) => status !== 200
      )
      t.match(refused, { status: 401, body: { code: 'unauthenticated' } })
      t.notOk((await list()).data.some((each: { id: string }) => each.id === id))
      t.match(await call('DELETE', `/api/v1/caller-keys/${id}`), { status: 404, body: { code: 'not_found' } })
    })
  })
}
