import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import t from 'tap'
import { openEngine } from '../../src/database/engine.ts'
import { engines, migrationFiles, openTestEngine, testDatabase } from '../support/database.ts'
import { openNetwork } from '../support/network.ts'

const unavailable = { code: 'database_unavailable', retryAfterMs: 1000 }
const postgresql = engines.includes('postgresql') ? {} : { skip: 'TEST_DATABASE_URL is not set' }

t.test('a refused connection is database_unavailable', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const url = `postgres://nobody@127.0.0.1:${port}/none`
  await t.rejects(openEngine({ ...(await testDatabase(t)), url }), {
    ...unavailable,
    cause: { code: 'ECONNREFUSED' }
  })
})

t.test('PostgreSQL', postgresql, async (t) => {
  t.test('closing gives up whoever waits for a connection', async (t) => {
    const engine = await openTestEngine(t, 'postgresql', { poolSize: 1 })
    const held = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const holding = engine.transaction(() => {
      begun.resolve()
      return held.promise
    })
    await begun.promise
    const waiting = t.rejects(engine.ping(), unavailable)
    const closed = engine.close()
    await waiting
    held.resolve()
    await Promise.all([holding, closed])
  })

  t.test('cutting connections costs their requests and nothing else', async (t) => {
    const database = await testDatabase(t, 'postgresql')
    const warnings: string[] = []
    const log = { warn: (_: object, phrase: string) => warnings.push(phrase), fatal: () => {} }
    const engine = await openEngine({ ...database, log })
    t.teardown(() => engine.close())
    const admin = new pg.Client(database.url)
    await admin.connect()
    t.teardown(() => admin.end())
    /** Resolves when no backend of the engine is left. */
    const cut = async () => {
      const others = `from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
      const { rows } = await admin.query(
        `select count(pg_terminate_backend(pid, 5000))::int as count ${others}`
      )
      return rows[0].count
    }

    await t.test('while idle', async (t) => {
      await engine.ping()
      t.ok((await cut()) >= 1)
      while (warnings.length === 0) await setImmediate()
      t.match(warnings, ['idle database connection lost'])
      await t.resolves(
        engine.ping().catch(() => engine.ping()),
        'at most one request is the price'
      )
    })

    await t.test('during a query', async (t) => {
      const sleeping = sql`select pg_sleep(60)`.execute(engine.db)
      const [result] = await Promise.allSettled([sleeping, untilActive(admin).then(cut)])
      t.match(result, { status: 'rejected', reason: { ...unavailable, cause: { code: '57P01' } } })
      await t.resolves(engine.ping())
    })

    await t.test('between the queries of a transaction', async (t) => {
      const work = engine.transaction(async (tx) => {
        await sql`create table lost (id integer)`.execute(tx)
        await cut()
        await sql`insert into lost values (1)`.execute(tx)
      })
      await t.rejects(work, unavailable)
      t.same((await sql`select to_regclass('lost') as found`.execute(engine.db)).rows, [{ found: null }])
    })
  })

  t.test('a server that would lose commits in a crash is refused', async (t) => {
    const database = await testDatabase(t, 'postgresql')
    const engine = await openEngine(database)
    await sql`do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$`.execute(
      engine.db
    )
    await engine.close()
    await t.rejects(openEngine(database), { message: /lose acknowledged commits.* synchronous_commit/ })
  })

  t.test("the database's own habits change nothing", async (t) => {
    const database = await testDatabase(t, 'postgresql')
    const before = await openEngine(database)
    await sql`do $$ begin
      execute format('alter database %I set timezone = ''Asia/Kathmandu''', current_database());
      execute format('alter database %I set datestyle = ''German, DMY''', current_database());
      execute format('alter database %I set intervalstyle = ''iso_8601''', current_database());
      execute format('alter database %I set default_transaction_isolation = ''serializable''', current_database());
    end $$`.execute(before.db)
    await before.close()
    const engine = await openEngine(database)
    t.teardown(() => engine.close())
    const values = sql`select timestamptz '2026-03-04T05:06:07Z' as instant, date '2026-03-04' as date,
      interval '1 day 2 hours' as interval, tstzrange('2026-03-04T00:00:00Z', null) as range,
      current_setting('transaction_isolation') as isolation`
    const { rows } = await engine.transaction((tx) => values.execute(tx))
    t.same(rows, [
      {
        instant: Date.UTC(2026, 2, 4, 5, 6, 7),
        date: '2026-03-04',
        interval: '1 day 02:00:00',
        range: '["2026-03-04 00:00:00+00",)',
        isolation: 'read committed'
      }
    ])
  })

  t.test('a deadlock is resolved by repeating the loser', async (t) => {
    const migrations = await migrationFiles(t, {
      '0001_rows.sql':
        'create table rows (id integer primary key, n integer); insert into rows values (1, 0), (2, 0)'
    })
    const engine = await openTestEngine(t, 'postgresql', { migrations })
    const met = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
    const both = Promise.all(met.map(({ promise }) => promise))
    let runs = 0
    const raise = (first: 0 | 1) =>
      engine.transaction(async (tx) => {
        runs += 1
        await sql`update rows set n = n + 1 where id = ${first + 1}`.execute(tx)
        met[first].resolve()
        await both
        await sql`update rows set n = n + 1 where id = ${2 - first}`.execute(tx)
      })
    await Promise.all([raise(0), raise(1)])
    t.same((await sql`select n from rows`.execute(engine.db)).rows, [{ n: 2 }, { n: 2 }])
    t.equal(runs, 3)
  })

  t.test('a statement that takes too long is database_unavailable', async (t) => {
    const engine = await openTestEngine(t, 'postgresql', { statementTimeoutMs: 50 })
    await t.rejects(sql`select pg_sleep(60)`.execute(engine.db), { ...unavailable, cause: { code: '57014' } })
    await t.resolves(engine.ping())
  })

  t.test('a server that falls silent is database_unavailable, and another connection is made', async (t) => {
    const database = await testDatabase(t, 'postgresql')
    const network = await openNetwork(t, database.url ?? '')
    const engine = await openEngine({ ...database, url: network.url, poolSize: 1, statementTimeoutMs: 500 })
    t.teardown(() => engine.close())
    await engine.ping()

    network.loseEverything()
    await t.rejects(engine.ping(), unavailable)
    await t.resolves(engine.ping(), 'a new connection is heard')

    const work = engine.transaction(async (tx) => {
      await sql`select 1`.execute(tx)
      network.loseEverything()
      await sql`select 1`.execute(tx)
    })
    await t.rejects(work, unavailable)
    await t.resolves(engine.ping())
  })

  t.test('a pool that stays empty is database_unavailable', async (t) => {
    const engine = await openTestEngine(t, 'postgresql', { poolSize: 1 })
    const held = Promise.withResolvers<void>()
    const holding = engine.transaction(() => held.promise)
    await t.rejects(engine.ping(), { ...unavailable, cause: { message: /timeout exceeded/ } })
    held.resolve()
    await holding
    await t.resolves(engine.ping())
  })
})

/** Resolves when a query that sleeps is under way. */
async function untilActive(admin: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await admin.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`
    )
    if (rows.length > 0) return
  }
}
