import { setImmediate } from 'node:timers/promises'
import { inspect } from 'node:util'
import { sql } from 'kysely'
import t from 'tap'
import type { Engine } from '../../src/database/engine.ts'
import { isUniqueViolation } from '../../src/database/failures.ts'
import { engines, migrationFiles, openTestEngine, type Test } from '../support/database.ts'
import { fakeSystem } from '../support/system.ts'

const scratch = {
  '0001_rows.sql': `create table rows (id integer constraint rows_pk primary key, name text constraint rows_name unique);
    insert into rows values (1, 'one'), (2, 'two')`
}
const open = async (t: Test, kind: Engine['kind'], overrides = {}) =>
  await openTestEngine(t, kind, { migrations: await migrationFiles(t, scratch), ...overrides })

const insert = (db: Engine['db'], id: number, name: string) =>
  sql`insert into rows values (${id}, ${name})`.execute(db)
const names = async (db: Engine['db']) =>
  (await sql<{ name: string }>`select name from rows order by id`.execute(db)).rows.map(({ name }) => name)
/** Fails as the server would. */
const fail = (db: Engine['db'], state: string) =>
  sql`do ${sql.lit(`begin raise exception using errcode = '${state}', message = 'told to'; end`)}`.execute(db)

for (const kind of engines) {
  t.test(kind, async (t) => {
    const engine = await open(t, kind)
    const { db } = engine

    t.test('values are the same JavaScript on every engine', async (t) => {
      const { rows } = await sql`select
        9007199254740991::int8 as int8,
        count(*) as count,
        array[1, null]::int8[] as int8s,
        12345678901234567890.10::numeric as numeric,
        array[1.50, null]::numeric[] as numerics,
        timestamptz '2026-03-04 05:06:07.891234+01' as instant,
        timestamptz 'infinity' as never,
        timestamptz '-infinity' as always,
        array[timestamptz '1970-01-01Z'] as instants,
        date '2026-03-04' as date,
        interval '1 day 2 hours' as interval,
        '{"a": [1, "two", null]}'::jsonb as json,
        '\\x00ff'::bytea as bytes,
        tstzrange('2026-03-04T00:00:00Z', '2026-03-05T00:00:00Z') as range,
        array['a', 'b,"c"', null] as texts,
        true as truth, 1.5::float8 as float, null as nothing`.execute(db)
      t.strictSame(rows, [
        {
          int8: Number.MAX_SAFE_INTEGER,
          count: 1,
          int8s: [1, null],
          numeric: '12345678901234567890.10',
          numerics: ['1.50', null],
          instant: Date.parse('2026-03-04T04:06:07.891Z'),
          never: Number.POSITIVE_INFINITY,
          always: Number.NEGATIVE_INFINITY,
          instants: [0],
          date: '2026-03-04',
          interval: '1 day 02:00:00',
          json: { a: [1, 'two', null] },
          bytes: Buffer.from([0, 255]),
          range: '["2026-03-04 00:00:00+00","2026-03-05 00:00:00+00")',
          texts: ['a', 'b,"c"', null],
          truth: true,
          float: 1.5,
          nothing: null
        }
      ])
    })

    t.test('an integer that JavaScript would round and an instant beyond it are refused', async (t) => {
      await t.rejects(sql`select 9007199254740992::int8`.execute(db), { name: 'RangeError' })
      await t.rejects(sql`select timestamptz '10000-01-01Z'`.execute(db), { name: 'RangeError' })
      await t.resolves(engine.ping())
    })

    t.test('the outer handle is refused inside a transaction, at once', async (t) => {
      const refusal = { message: /outer database handle was used inside a transaction/ }
      await engine.transaction(async (tx) => {
        await t.rejects(names(db), refusal)
        await t.rejects(engine.transaction(names), refusal)
        await t.rejects(engine.ping(), refusal)
        t.same(await names(tx), ['one', 'two'], 'the transaction goes on')
      })
      t.same(await names(db), ['one', 'two'])
    })

    t.test('what a transaction leaves running is outside when it has ended', async (t) => {
      const ended = Promise.withResolvers<void>()
      const left = await engine.transaction(async () => ({ reading: ended.promise.then(() => names(db)) }))
      ended.resolve()
      t.same(await left.reading, ['one', 'two'])
    })

    t.test('others wait for a transaction and do not see into it', async (t) => {
      const inside = Promise.withResolvers<void>()
      const outside = Promise.withResolvers<void>()
      const writing = engine.transaction(async (tx) => {
        await insert(tx, 3, 'three')
        inside.resolve()
        await outside.promise
        throw new Error('changed my mind')
      })
      await inside.promise
      const reading = names(db)
      outside.resolve()
      await t.rejects(writing, { message: 'changed my mind' })
      t.same(await reading, ['one', 'two'])
    })

    t.test('a transaction whose failed statement was ignored does not pass for committed', async (t) => {
      const work = engine.transaction(async (tx) => {
        await insert(tx, 4, 'four')
        await fail(tx, '22012').catch(() => {})
      })
      await t.rejects(work, { message: /Nothing was committed/ })
      t.same(await names(db), ['one', 'two'])
    })

    t.test('a lost race between transactions is repeated, a lasting one reported', async (t) => {
      const { slept, ...system } = fakeSystem()
      const engine = await open(t, kind, { system })
      let runs = 0
      const result = await engine.transaction(async (tx) => {
        runs += 1
        await insert(tx, 10 + runs, `run ${runs}`)
        if (runs === 1) await fail(tx, '40001')
        if (runs === 2) await fail(tx, '40P01')
        return runs
      })
      t.equal(result, 3)
      t.same(await names(engine.db), ['one', 'two', 'run 3'], 'only the last run left a trace')
      t.same(slept, [20, 40])

      await t.rejects(
        engine.transaction((tx) => fail(tx, '40001')),
        { code: '40001' }
      )
    })

    t.test('what the server cannot help is database_unavailable, with its cause', async (t) => {
      for (const state of ['08006', '25P03', '53100', '53300', '57014', '57P01', '57P02', '57P03', '58030']) {
        const expected = { code: 'database_unavailable', retryAfterMs: 1000, cause: { code: state } }
        await t.rejects(fail(db, state), expected, state)
        await t.rejects(
          engine.transaction((tx) => fail(tx, state)),
          expected,
          `${state} in a transaction`
        )
      }
      for (const state of ['22012', '23505', '42P01', 'P0001']) {
        await t.rejects(fail(db, state), { name: 'error', code: state }, state)
      }
    })

    t.test('a violated constraint is known by name and tells no values', async (t) => {
      const error: unknown = await insert(db, 5, 'two').catch((reason) => reason)
      t.ok(isUniqueViolation(error))
      t.ok(isUniqueViolation(error, 'rows_name'))
      t.notOk(isUniqueViolation(error, 'rows_pk'))
      t.notOk(isUniqueViolation(new Error('another')))
      t.notMatch(inspect(error, { depth: 9 }), /\btwo\b/)
    })

    t.test('timers have their turn between thousands of transactions and queries', async (t) => {
      // PostgreSQL's take their turns by themselves; here they only wait for a connection.
      const length = kind === 'embedded' ? 2000 : 200
      for (const work of [() => engine.transaction(names), () => names(db)]) {
        let done = 0
        const all = Promise.all(
          Array.from({ length }, async () => {
            await work()
            done += 1
          })
        )
        await new Promise((resolve) => setTimeout(resolve, 1))
        t.ok(done < length, `${done} of ${length} were done when the timer fired`)
        await all
      }
    })

    t.test('a closed engine answers nothing', async (t) => {
      const engine = await open(t, kind)
      const asked = Array.from({ length: 5 }, () => engine.ping().catch((error) => error))
      await setImmediate()
      await engine.close()
      await t.resolves(Promise.all(asked), 'and keeps nobody waiting')
      await t.rejects(engine.ping())
    })
  })
}
