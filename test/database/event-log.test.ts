import { setTimeout } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import type { News } from '../../src/core/events.ts'
import type { Engine } from '../../src/database/engine.ts'
import { createEventLog } from '../../src/database/event-log.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openReplicas } from '../support/database.ts'
import { aNews } from '../support/events.ts'

const write = ({ transaction }: Engine, ...news: Partial<News>[]) =>
  transaction(async (tx) => {
    for (const one of news) await tablesOf(tx).events.add(aNews(one))
  })

/** As if each had been written in a transaction of its own, one after the other. */
const writeMany = ({ db }: Engine, count: number) =>
  sql`
    insert into events (id, tenant_id, type, subject, sequence, at, body)
    select 'evt_' || n, 'default', 'booking.confirmed', 's' || n % 7, n / 7 + 1, now(),
      convert_to(json_build_object('id', 'evt_' || n, 'subject', 's' || n % 7, 'sequence', n / 7 + 1)::text, 'UTF8')
    from generate_series(0, ${count}::integer - 1) n`.execute(db)

type Seen = { position: number; id: string; subject: string; sequence: number }

function toSeen({ position, body }: { position: number; body: Buffer }): Seen {
  const { id, subject, sequence } = JSON.parse(body.toString())
  return { position, id, subject, sequence }
}

for (const kind of engines) {
  t.test(`the log of events (${kind})`, async (t) => {
    const [one, two] = await openReplicas(t, kind)
    const { db } = one
    const log = createEventLog(db)
    const other = createEventLog(two.db)
    const all = { after: 0, types: undefined, limit: 5_000 }
    const places = async (tenantId = 'default') => (await log.page(tenantId, all)).events.map(toSeen)
    t.beforeEach(async () => {
      for (const table of ['event_deliveries', 'event_endpoints', 'events', 'event_subjects'])
        await sql`delete from ${sql.table(table)}`.execute(db)
      await sql`update events_head set position = 0`.execute(db)
    })

    t.test('an event has no place until it is given one, and keeps that', async (t) => {
      await write(one, { subject: 'a' }, { subject: 'b' })
      t.same((await log.page('default', all)).head, 0)
      await log.advance()
      await log.advance()
      t.match(await places(), [
        { position: 1, subject: 'a', sequence: 1 },
        { position: 2, subject: 'b', sequence: 1 }
      ])
      await write(two, { subject: 'a' })
      await other.advance()
      t.match((await log.page('default', { ...all, after: 2 })).events.map(toSeen), [
        { position: 3, subject: 'a', sequence: 2 }
      ])
    })

    t.test('all that wait are placed at once, however many', async (t) => {
      let told = 0
      log.onPlaced(() => told++)
      await writeMany(one, 1_201)
      await log.advance()
      const seen = await places()
      t.same(
        seen.map(({ position }) => position),
        seen.map((_, index) => index + 1)
      )
      t.equal(seen.length, 1_201)
      t.equal(told, 3, 'and who waits for them is told after each step')
      await log.advance()
      t.equal(told, 3)
      t.match(await log.state(), { written: 1_201, waiting: 0, waitingSince: undefined })
    })

    t.test('several who place a long past together keep the order of writing', async (t) => {
      await writeMany(one, 6_000)
      await Promise.all([log, other, log, other].map((each) => each.advance()))
      const { rows } = await sql<{ strays: number; placed: number }>`
        select count(*) filter (where position <> rank)::int as strays, count(*)::int as placed
        from (select position, row_number() over (order by written) as rank from events) ranked`.execute(db)
      t.same(rows, [{ strays: 0, placed: 6_000 }])
    })

    t.test('the state tells what waits and since when', async (t) => {
      const at = Date.parse('2026-11-02T00:00:00Z')
      await write(one, { at: at + 1_000 }, { at })
      t.same(await log.state(), { written: 2, waiting: 2, waitingSince: at })
    })

    t.test('only the types that are asked for, only of the tenant', async (t) => {
      await sql`insert into tenants (id, name) values ('other', 'Other')
        on conflict do nothing`.execute(db)
      await write(one, { type: 'booking.canceled' }, { tenantId: 'other' }, { type: 'hold.lost' }, {})
      await log.advance()
      const { events, head } = await log.page('default', {
        ...all,
        types: ['booking.canceled', 'hold.lost']
      })
      t.same(
        events.map(({ position }) => position),
        [1, 3]
      )
      t.equal(head, 4, 'the head is everybody’s')
      t.same(
        (await places('other')).map(({ position }) => position),
        [2]
      )
    })

    t.test('what an endpoint wants is queued for it with the place, once', async (t) => {
      const endpoints = [
        { id: 'wants', types: ['booking.confirmed', 'hold.lost'], status: 'enabled', tenant: 'default' },
        { id: 'other type', types: ['booking.canceled'], status: 'enabled', tenant: 'default' },
        { id: 'disabled', types: ['booking.confirmed'], status: 'disabled', tenant: 'default' },
        { id: 'other tenant', types: ['booking.confirmed'], status: 'enabled', tenant: 'other' }
      ]
      for (const { id, types, status, tenant } of endpoints) {
        await sql`
          insert into event_endpoints (id, tenant_id, url, types, status, created_at, updated_at)
          values (${id}, ${tenant}, 'https://example.com', ${types}::text[], ${status}, now(), now())`.execute(
          db
        )
      }
      await write(one, { subject: 'a' }, { type: 'booking.rejected' }, { type: 'hold.lost', subject: 'h' })
      await Promise.all([log.advance(), other.advance(), log.advance()])
      const { rows } = await sql`
        select endpoint_id, position, subject, status, attempts, due_at is not null as is_due
        from event_deliveries order by position`.execute(db)
      const queued = { endpoint_id: 'wants', status: 'pending', attempts: 0, is_due: true }
      t.same(rows, [
        { ...queued, position: 1, subject: 'a' },
        { ...queued, position: 3, subject: 'h' }
      ])
    })

    t.test(
      'ten write and two place while three read: nobody misses any, or sees any out of order',
      async (t) => {
        const [writers, each] = [10, kind === 'embedded' ? 20 : 60]
        const total = writers * each
        let isWriting = true
        const writing = Array.from({ length: writers }, async (_, writer) => {
          const engine = writer % 2 ? one : two
          for (let nth = 0; nth < each; nth++) {
            await engine.transaction(async (tx) => {
              await tablesOf(tx).events.add(aNews({ subject: `s${(writer + nth) % 5}` }))
              // Some take long to commit: what is written later has its place earlier.
              if (kind === 'postgresql' && nth % 5 === 0) await setTimeout(Math.random() * 20)
            })
          }
        })
        const placing = [log, other].map(async (one) => {
          while (isWriting) {
            await one.advance()
            await setTimeout(1)
          }
        })
        const reading = [log, other, log].map(async (one, reader) => {
          const seen: Seen[] = []
          for (let after = 0; seen.length < total; await setTimeout(1)) {
            const isLast = !isWriting
            const { events } = await one.page('default', { after, types: undefined, limit: 3 + reader * 40 })
            seen.push(...events.map(toSeen))
            after = events.at(-1)?.position ?? after
            if (isLast && events.length === 0) break
          }
          return seen
        })
        await Promise.all(writing)
        await log.advance()
        isWriting = false
        await Promise.all(placing)
        for (const seen of await Promise.all(reading)) {
          t.equal(new Set(seen.map(({ id }) => id)).size, total, 'each has seen every event')
          t.equal(seen.length, total, 'once')
          const last = new Map<string, number>()
          const strays = seen.filter(({ subject, sequence }) => {
            const isNext = sequence === (last.get(subject) ?? 0) + 1
            last.set(subject, sequence)
            return !isNext
          })
          t.same(strays, [], 'and those of each subject in order')
        }
      }
    )

    if (kind === 'postgresql') {
      t.test('an endpoint that is just being disabled is not told', async (t) => {
        await sql`
          insert into event_endpoints (id, tenant_id, url, types, status, created_at, updated_at)
          values ('e', 'default', 'https://example.com', '{booking.confirmed}', 'enabled', now(), now())`.execute(
          db
        )
        await write(one, {})
        let advancing: Promise<void> | undefined
        await two.transaction(async (tx) => {
          await sql`update event_endpoints set status = 'disabled' where id = 'e'`.execute(tx)
          advancing = log.advance()
          await setTimeout(200)
        })
        await advancing
        t.same(await db.selectFrom('event_deliveries').selectAll().execute(), [])
        t.equal((await places()).length, 1)
      })

      t.test('it does not wait for the transactions of others', async (t) => {
        await write(one, { subject: 'before' })
        await two.transaction(async (tx) => {
          await tablesOf(tx).events.add(aNews({ subject: 'late' }))
          await write(one, { subject: 'after' })
          await log.advance()
          t.match(await places(), [{ subject: 'before' }, { subject: 'after' }])
        })
        await log.advance()
        t.match(await places(), [{ subject: 'before' }, { subject: 'after' }, { subject: 'late' }])
      })
    }
  })
}
