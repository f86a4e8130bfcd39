import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import t from 'tap'
import { hashOf } from '../../src/core/callers.ts'
import { newsTypes } from '../../src/core/news-types.ts'
import type { Tables } from '../../src/database/tables.ts'
import { engines } from '../support/database.ts'
import { aNews, eventsOf, readLog, type Told } from '../support/events.ts'
import { openService, type Service, until } from '../support/service.ts'
import { book, cancel, read } from './support/client.ts'

const write = ({ app }: Service, ...news: Parameters<typeof aNews>[0][]) =>
  app.database.transact(async ({ events }) => {
    for (const one of news) await events.add(aNews(one))
  })

const sequences = (events: readonly Told[]) => events.map(({ subject, sequence }) => `${subject} ${sequence}`)

const theirKey = `cgw_${randomBytes(32).toString('base64url')}`

async function addTenant(db: Kysely<Tables>): Promise<void> {
  await db.insertInto('tenants').values({ id: 'other', name: 'Other' }).execute()
  const key = { id: 'key_other', tenant_id: 'other', name: 'shop', scopes: ['events:read'] }
  const created_at = new Date().toISOString()
  await db
    .insertInto('caller_keys')
    .values({ ...key, key_hash: hashOf(theirKey), created_at })
    .execute()
}

async function callerKey({ call }: Service, scopes: readonly string[]): Promise<string> {
  const { status, body } = await call('POST', '/api/v1/caller-keys', {
    body: { name: scopes.join('-').replaceAll(':', '_'), scopes }
  })
  if (status !== 201) throw new Error(JSON.stringify(body))
  return body.key
}

for (const engine of engines) {
  t.test(`the log of events (${engine})`, async (t) => {
    const service = await openService(t, { engine, prepare: addTenant })
    const { call } = service
    const get = (query: string, key?: string) => call('GET', `/api/v1/events?${query}`, key ? { key } : {})

    t.test('is empty at first and answers with a place to go on from', async (t) => {
      const { status, headers, body } = await get('')
      t.equal(status, 200)
      t.equal(headers['content-type'], 'application/json; charset=utf-8')
      t.match(body, { data: [], next_cursor: /^[\w-]+$/ })
      t.same((await get(`cursor=${body.next_cursor}`)).body, body, 'the same while nothing happens')
    })

    t.test('tells of what has been answered with before, in pages, and then of what comes', async (t) => {
      const { cursor } = await readLog(service)
      const booking = (await book(service)).body
      const { events } = await readLog(service, { from: cursor })
      t.match(events, [
        {
          id: /^evt_/,
          type: 'booking.confirmed',
          subject: booking.id,
          sequence: 1,
          data: { booking: { id: booking.id, status: 'confirmed' } }
        }
      ])
      await write(service, ...Array.from({ length: 7 }, () => ({ subject: 'many' })))
      const paged = await readLog(service, { from: cursor, query: { limit: '3' } })
      t.same(paged.events.length, 8)
      t.same(
        sequences(paged.events.slice(1)),
        [1, 2, 3, 4, 5, 6, 7].map((n) => `many ${n}`)
      )
      t.equal((await cancel(service, booking.id)).status, 200)
      const [canceled, ...more] = (await readLog(service, { from: paged.cursor })).events
      t.match(canceled, { type: 'booking.canceled', subject: booking.id, sequence: 2 })
      t.same(more, [])
      t.same(canceled?.data.booking, (await read(service, booking.id)).body, 'in the form of the booking')
    })

    t.test('has the bytes of every event as they were written, also of one alone', async (t) => {
      const { cursor } = await readLog(service)
      await write(service, { subject: 'bytes' }, { subject: 'bytes', source: 'reconciliation' })
      const { text, body } = await get(`cursor=${cursor}`)
      const rows = await service.app.database.eventLog.page('default', {
        after: 0,
        types: undefined,
        limit: 99
      })
      const bodies = rows.events.slice(-2).map(({ body }) => body.toString())
      t.equal(text, `{"data":[${bodies.join(',')}],"next_cursor":"${body.next_cursor}"}`)
      for (const [nth, { id }] of body.data.entries()) {
        const alone = await call('GET', `/api/v1/events/${id}`)
        t.equal(alone.text, bodies[nth])
        t.equal(alone.headers['content-type'], 'application/json; charset=utf-8')
      }
      t.same(
        body.data.map(({ source }: Told) => source),
        [undefined, 'reconciliation']
      )
    })

    t.test('gives the types that are asked for; a cursor goes with any of them', async (t) => {
      const { cursor } = await readLog(service)
      await write(service, { subject: 'x' }, { type: 'booking.canceled', subject: 'x' }, { subject: 'y' })
      await write(service, { type: 'booking.no_show', subject: 'y' })
      const one = await get(`cursor=${cursor}&type=booking.canceled`)
      t.same(sequences(one.body.data), ['x 2'])
      const two = await get(`cursor=${cursor}&type=booking.canceled&type=booking.no_show&limit=1`)
      t.same(sequences(two.body.data), ['x 2'])
      t.same(
        sequences((await get(`cursor=${two.body.next_cursor}`)).body.data),
        ['y 1', 'y 2'],
        'with other types it goes on from the same place'
      )
      const none = await get(`cursor=${cursor}&type=hold.lost`)
      t.same(none.body.data, [])
      t.same(
        (await get(`cursor=${none.body.next_cursor}`)).body.data,
        [],
        'what was passed over is behind it'
      )
      for (const type of newsTypes) t.equal((await get(`type=${type}&limit=1`)).status, 200, type)
    })

    t.test('refuses what is no cursor of its own, no type and no limit', async (t) => {
      const { cursor } = await readLog(service)
      const other = (await call('GET', '/api/v1/bookings?limit=1')).body.next_cursor ?? 'bm9uZQ'
      const tampered = `${cursor.startsWith('A') ? 'B' : 'A'}${cursor.slice(1)}`
      for (const wrong of [tampered, `${cursor}x`, 'x', 'x'.repeat(501), other]) {
        t.match(await get(`cursor=${wrong}`), { status: 400, body: { code: 'invalid_cursor' } }, wrong)
      }
      for (const query of [
        'type=booking.sold',
        'type=',
        'type=booking.confirmed&type=x',
        'limit=0',
        'limit=201',
        'from=1'
      ]) {
        t.match(await get(query), { status: 400, body: { code: 'validation_failed' } }, query)
      }
      t.match(await get('type=booking.sold'), {
        body: { detail: /booking\.sold is not .* booking\.confirmed/ }
      })
      t.same((await get('cursor=&limit=1')).body, (await get('limit=1')).body, 'an empty one is none')
      t.match(await call('GET', '/api/v1/events/evt_none'), { status: 404, body: { code: 'not_found' } })
    })

    t.test('a cursor from ahead of the log, as after an older backup was restored, is refused', async (t) => {
      const { cursor } = await readLog(service)
      const { eventLog } = service.app.database
      const page = eventLog.page
      eventLog.page = async (...asked) => ({ ...(await page(...asked)), head: 0 })
      t.teardown(() => Object.assign(eventLog, { page }))
      t.match(await get(`cursor=${cursor}`), { status: 400, body: { code: 'invalid_cursor' } })
    })

    t.test('needs its scope, and is the tenant’s own', async (t) => {
      await write(service, { subject: 'ours' })
      const [event] = await eventsOf(service, 'ours')
      const key = await callerKey(service, ['bookings:write', 'availability:read'])
      t.match(await get('', key), { status: 403, body: { code: 'insufficient_scope' } })
      t.equal((await call('GET', `/api/v1/events/${event?.id}`, { key })).status, 403)
      const reader = await callerKey(service, ['events:read'])
      t.equal((await get('', reader)).status, 200)

      t.same((await get('', theirKey)).body.data, [])
      t.equal((await call('GET', `/api/v1/events/${event?.id}`, { key: theirKey })).status, 404)
      const ours = (await readLog(service)).cursor
      await write(service, { tenantId: 'other', subject: 'theirs' })
      t.same(
        sequences((await get(`cursor=${ours}`, theirKey)).body.data),
        ['theirs 1'],
        'also with our cursor'
      )
      t.same((await get(`cursor=${ours}`)).body.data, [])
    })

    t.test('an event that nobody asks for has its place soon all the same', async (t) => {
      await write(service, { subject: 'unasked' })
      const { eventLog } = service.app.database
      await until(eventLog.state, ({ waiting }) => waiting === 0)
      const known = await eventLog.page('default', { after: 0, types: undefined, limit: 1_000 })
      t.match(known.events.at(-1)?.body.toString(), /"subject":"unasked"/)
    })

    t.test('what is rolled back is in no log', async (t) => {
      const { cursor } = await readLog(service)
      await t.rejects(
        service.app.database.transact(async ({ events }) => {
          await events.add(aNews({ subject: 'undone' }))
          throw new Error('undone')
        })
      )
      await write(service, { subject: 'undone' })
      t.same(sequences((await readLog(service, { from: cursor })).events), ['undone 1'])
    })
  })
}
