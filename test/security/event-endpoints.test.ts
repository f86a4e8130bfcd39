import { randomBytes } from 'node:crypto'
import t from 'tap'
import { hashOf, scopes } from '../../src/core/callers.ts'
import { openConsumer } from '../support/consumer.ts'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'

const path = '/api/v1/event-endpoints'
const types = ['booking.confirmed']
const otherKey = `cgw_${randomBytes(32).toString('base64url')}`

t.test('outside development events go to public addresses only', async (t) => {
  const names: Record<string, string[]> = {
    'public.example': ['93.184.216.34'],
    'inside.example': ['10.1.2.3'],
    'mixed.example': ['93.184.216.34', '10.1.2.3']
  }
  const { call } = await openService(t, {
    sandbox: null,
    env: { APP_ENV: 'staging' },
    lookup: async (host) => names[host] ?? []
  })
  const consumer = await openConsumer(t)
  const { body: endpoint } = await call('POST', path, { body: { url: 'https://public.example/', types } })
  const test = async () => (await call('POST', `${path}/${endpoint.id}/test`)).body

  t.test(
    'a URL that leads elsewhere is refused when it is given, with no address in the answer',
    async (t) => {
      const port = consumer.port
      const urls = [
        consumer.url,
        'http://public.example/',
        `https://127.0.0.1:${port}/`,
        `https://localhost:${port}/`,
        `https://localhost.:${port}/`,
        `https://2130706433:${port}/`,
        `https://0x7f.1:${port}/`,
        `https://0177.0.0.1:${port}/`,
        `https://[::1]:${port}/`,
        `https://[::ffff:127.0.0.1]:${port}/`,
        `https://[::7f00:1]:${port}/`,
        'https://169.254.169.254/latest/meta-data/',
        'https://user:password@public.example/',
        'https://inside.example/',
        'https://mixed.example/'
      ]
      for (const url of urls) {
        for (const [method, at, body] of [
          ['POST', path, { url, types }],
          ['PATCH', `${path}/${endpoint.id}`, { url }]
        ] as const) {
          const answer = await call(method, at, { body })
          t.match(
            answer,
            { status: 400, body: { code: 'validation_failed', errors: [{ pointer: '#/url' }] } },
            url
          )
          t.notMatch(answer.text, /10\.1\.2\.3|127\.0\.0\.1|169\.254/, url)
        }
      }
      t.match((await call('GET', `${path}/${endpoint.id}`)).body, { url: 'https://public.example/' })
    }
  )

  t.test('a name that leads inside later is refused when it is used', async (t) => {
    names['public.example'] = ['127.0.0.1']
    await call('PATCH', `${path}/${endpoint.id}`, { body: { description: 'unchanged' } })
    t.match(await test(), { delivered: false, status: null, error: /not public/ })

    const later = await call('POST', path, {
      body: { url: `https://later.example:${consumer.port}/`, types }
    })
    t.equal(later.status, 201, 'it may be there before its name is')
    names['later.example'] = ['::ffff:127.0.0.1']
    const answer = await call('POST', `${path}/${later.body.id}/test`)
    t.match(answer.body, { delivered: false, status: null, error: /not public/ })
    t.notMatch(answer.text, /127\.0\.0\.1/)
    t.equal(consumer.connections(), 0)
  })
})

for (const engine of engines) {
  t.test(`a tenant's endpoints are its own (${engine})`, async (t) => {
    const { call } = await openService(t, {
      engine,
      sandbox: null,
      prepare: async (db) => {
        await db.insertInto('tenants').values({ id: 'other', name: 'Other' }).execute()
        const row = { tenant_id: 'other', name: 'admin', key_hash: hashOf(otherKey), scopes: [...scopes] }
        const created_at = new Date().toISOString()
        await db
          .insertInto('caller_keys')
          .values({ id: 'key_other', ...row, created_at })
          .execute()
      }
    })
    const body = { url: 'https://shop.example.com/', types }
    const { id } = (await call('POST', path, { body })).body
    const asThem = { key: otherKey }
    t.same((await call('GET', path, asThem)).body, { data: [], next_cursor: null })
    const calls: [string, string, unknown?][] = [
      ['GET', ''],
      ['PATCH', '', { disabled: true }],
      ['DELETE', ''],
      ['POST', '/rotate-secret', {}],
      ['POST', '/test', {}],
      ['POST', '/replay', { from: '2020-01-01T00:00:00Z' }],
      ['GET', '/deliveries']
    ]
    for (const [method, end, sent] of calls) {
      const answer = await call(method, `${path}/${id}${end}`, {
        ...asThem,
        ...(sent !== undefined && { body: sent })
      })
      t.match(answer, { status: 404, body: { code: 'not_found' } }, `${method} ${end}`)
    }
    for (let i = 0; i < 3; i++) await call('POST', path, { body })
    const { next_cursor } = (await call('GET', `${path}?limit=1`)).body
    t.same((await call('GET', `${path}?cursor=${next_cursor}`, asThem)).body.data, [])
    t.match((await call('GET', `${path}/${id}`)).body, { id, status: 'enabled' })
  })
}
