import { fork } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import pg from 'pg'
import t from 'tap'
import { openEngine } from '../../src/database/engine.ts'
import { engines, migrationFiles, openTestEngine, testDatabase } from '../support/database.ts'

const writer = join(import.meta.dirname, 'fixtures/writer.ts')
const first = { '0001_rows.sql': 'create table rows (id bigint generated always as identity primary key);' }
const second = {
  '0002_letters.sql': `create table letters (letter text); insert into letters values ('a'); insert into letters values ('b')`
}

for (const kind of engines) {
  t.test(`migrations on ${kind}`, async (t) => {
    t.test('run in order, once, with all the statements of a file', async (t) => {
      const database = await testDatabase(t, kind, { isEmpty: true })
      const migrations = await migrationFiles(t, { ...second, ...first })
      for (const _ of ['first start', 'second start']) {
        const engine = await openEngine({ ...database, migrations })
        const { rows: letters } = await sql`select letter from letters`.execute(engine.db)
        const { rows: applied } = await sql`select version, name from schema_migrations`.execute(engine.db)
        await engine.close()
        t.same(letters, [{ letter: 'a' }, { letter: 'b' }])
        t.same(applied, [
          { version: 1, name: '0001_rows' },
          { version: 2, name: '0002_letters' }
        ])
      }
    })

    t.test('continue where an earlier version of the program stopped', async (t) => {
      const database = await testDatabase(t, kind, { isEmpty: true })
      const migrations = await migrationFiles(t, first)
      const older = await openEngine({ ...database, migrations })
      t.ok(await older.schemaIsCurrent())
      await writeFile(join(migrations, '0002_letters.sql'), second['0002_letters.sql'])
      t.notOk(await older.schemaIsCurrent(), 'a database that lacks a migration is not current')
      await older.close()

      const newer = await openEngine({ ...database, migrations })
      t.teardown(() => newer.close())
      t.ok(await newer.schemaIsCurrent())
      await rm(join(migrations, '0002_letters.sql'))
      t.ok(await newer.schemaIsCurrent(), 'a replica stays ready while newer ones take over')
    })

    t.test('refuse a database newer than the program', async (t) => {
      const database = await testDatabase(t, kind, { isEmpty: true })
      const newer = await openEngine({
        ...database,
        migrations: await migrationFiles(t, { ...first, ...second })
      })
      await newer.close()
      await t.rejects(openEngine({ ...database, migrations: await migrationFiles(t, first) }), {
        message: /newer than this program.* 0002_letters.* 0001_rows/
      })
    })

    t.test('refuse a file that changed after it was applied', async (t) => {
      const database = await testDatabase(t, kind, { isEmpty: true })
      const migrations = await migrationFiles(t, first)
      await (await openEngine({ ...database, migrations })).close()
      await writeFile(join(migrations, '0001_rows.sql'), 'create table rows (id integer)')
      await t.rejects(openEngine({ ...database, migrations }), { message: /0001_rows has changed/ })
    })

    t.test('leave nothing of a file that fails, and keep those before it', async (t) => {
      const database = await testDatabase(t, kind, { isEmpty: true })
      const migrations = await migrationFiles(t, {
        ...first,
        '0002_broken.sql': 'create table half (id integer); select 1 / 0'
      })
      await t.rejects(openEngine({ ...database, migrations }), { code: '22012' })
      await writeFile(join(migrations, '0002_broken.sql'), 'create table half (id integer)')
      const engine = await openEngine({ ...database, migrations })
      t.teardown(() => engine.close())
      t.ok(await engine.schemaIsCurrent())
    })

    t.test('refuse a gap in the numbers', async (t) => {
      const migrations = await migrationFiles(t, { ...first, '0003_late.sql': 'select 1' })
      await t.rejects(openTestEngine(t, kind, { migrations }), {
        message: /0003_late should have the number 2/
      })
    })
  })
}

const postgresql = engines.includes('postgresql') ? {} : { skip: 'TEST_DATABASE_URL is not set' }

t.test('ten processes that migrate at once do it once', postgresql, async (t) => {
  const gated = { '0001_rows.sql': `lock table gate; ${first['0001_rows.sql']}`, ...second }
  const migrations = await migrationFiles(t, gated)
  const database = await testDatabase(t, 'postgresql')
  const gate = new pg.Client(database.url)
  await gate.connect()
  t.teardown(() => gate.end())
  await gate.query('create table gate ()')
  await gate.query('begin; lock table gate')

  const argument = JSON.stringify({ ...database, migrations })
  const processes = Array.from({ length: 10 }, () => fork(writer, [argument], { execArgv: [] }))
  t.teardown(() => {
    for (const child of processes) child.kill('SIGKILL')
  })
  const answers = processes.map((child) => Promise.race([once(child, 'message'), once(child, 'exit')]))
  await Promise.race([untilAllWait(gate, processes.length), ...answers])
  await gate.query('commit')

  t.same(await Promise.all(answers), Array(10).fill(['open', undefined]))
  t.same((await gate.query('select letter from letters')).rows, [{ letter: 'a' }, { letter: 'b' }])
})

async function untilAllWait(client: pg.Client, count: number): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      `select count(distinct pid)::int from pg_locks join pg_database on oid = database
       where datname = current_database() and not granted`
    )
    if (rows[0].count === count) return
  }
}
