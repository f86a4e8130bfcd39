import { sql } from 'kysely'
import t from 'tap'
import { createEventLog } from '../../src/database/event-log.ts'
import { sweepOld } from '../../src/database/retention.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { aNews } from '../support/events.ts'
import { openService, until } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'

const dayMs = 86_400_000
const now = Date.parse('2026-11-01T00:00:00Z')
const daysAgo = (days: number) => now - days * dayMs

for (const kind of engines) {
  t.test(`what is kept no longer (${kind})`, async (t) => {
    const { db, transaction } = await openTestEngine(t, kind)
    const log = createEventLog(db)
    t.beforeEach(async () => {
      for (const table of ['deliveries', 'event_deliveries', 'event_endpoints', 'events', 'event_subjects'])
        await sql`delete from ${sql.table(table)}`.execute(db)
    })
    const sweep = (signal?: AbortSignal) => sweepOld(db, daysAgo(90), signal)
    const happened = (subject: string, ...days: number[]) =>
      transaction(async (tx) => {
        for (const at of days) await tablesOf(tx).events.add(aNews({ subject, at: daysAgo(at) }))
      })
    const left = async () => {
      const { rows } = await sql<{ event: string }>`
        select subject || ' ' || sequence as event from events order by written`.execute(db)
      return rows.map(({ event }) => event)
    }

    t.test('webhooks that are done with, and none that wait', async (t) => {
      const received = (id: string, days: number, status: string, isDue = false) =>
        sql`
        insert into deliveries (id, tenant_id, slot, digest, body, signed_at, status, received_at, due_at)
        values (${id}, 'default', null, ${Buffer.from(id)}, '', now(), ${status},
          ${new Date(daysAgo(days)).toISOString()}::timestamptz, ${isDue ? new Date(now).toISOString() : null}::timestamptz)`.execute(
          db
        )
      for (const status of ['processed', 'dead', 'quarantined']) {
        await received(`old ${status}`, 91, status)
        await received(`young ${status}`, 89, status)
      }
      await received('old received', 91, 'received', true)
      await received('old and to be looked at', 91, 'quarantined', true)
      await sweep()
      const rows = await db.selectFrom('deliveries').select('id').orderBy('id').execute()
      t.same(
        rows.map(({ id }) => id),
        ['old and to be looked at', 'old received', 'young dead', 'young processed', 'young quarantined']
      )
    })

    t.test('events, with what was sent of them, while readers go on', async (t) => {
      await sql`
        insert into event_endpoints (id, tenant_id, url, types, status, created_at, updated_at)
        values ('e', 'default', 'https://example.com', '{booking.confirmed}', 'enabled', now(), now())`.execute(
        db
      )
      await happened('a', 100, 95, 10)
      await happened('b', 200)
      await log.advance()
      const [first] = (await log.page('default', { after: 0, types: undefined, limit: 1 })).events
      await sweep()
      t.same(await left(), ['a 3'])
      const sent = await db.selectFrom('event_deliveries').select('subject').execute()
      t.same(sent, [{ subject: 'a' }])
      const { events } = await log.page('default', {
        after: first?.position ?? 0,
        types: undefined,
        limit: 9
      })
      t.match(events.map(({ body }) => body.toString()).join(), /^[^}]*"sequence":3/)
      await happened('b', 0)
      t.same(await left(), ['a 3', 'b 2'], 'numbers go on')
    })

    t.test('of a subject nothing from the middle, and nothing without a place', async (t) => {
      await happened('a', 80, 95)
      await log.advance()
      await happened('b', 100)
      await sweep()
      t.same(await left(), ['a 1', 'a 2', 'b 1'])
    })

    t.test('however much there is, in steps that are interrupted when the service stops', async (t) => {
      await sql`
        insert into events (id, tenant_id, type, subject, sequence, at, body, position)
        select 'evt_' || n, 'default', 'booking.confirmed', 's' || n, 1, ${new Date(daysAgo(91)).toISOString()}::timestamptz, '', n
        from generate_series(1, 1200) n`.execute(db)
      const stopped = new AbortController()
      stopped.abort()
      await sweep(stopped.signal)
      t.equal((await left()).length, 1_200)
      await sweep()
      t.same(await left(), [])
    })
  })

  t.test(`the service keeps events for RETENTION_DAYS (${kind})`, async (t) => {
    const system = movableSystem()
    const env = { RETENTION_DAYS: '2' }
    const { app, call } = await openService(t, { engine: kind, system, sandbox: null, env })
    const read = async () => (await call('GET', '/api/v1/events')).body
    await app.database.transact(({ events }) => events.add(aNews({ at: system.now() })))
    const { data, next_cursor } = await read()
    t.equal(data.length, 1)
    system.moveTo(system.now() + 1.9 * dayMs)
    await app.database.transact(({ events }) => events.add(aNews({ subject: 'later', at: system.now() })))
    system.moveTo(system.now() + 0.2 * dayMs)
    await until(read, (body) => body.data[0]?.subject === 'later')
    const { body } = await call('GET', `/api/v1/events?cursor=${next_cursor}`)
    t.match(body.data, [{ subject: 'later' }], 'a cursor from before is good')
    t.equal((await call('GET', `/api/v1/events/${data[0].id}`)).status, 404)
  })
}
