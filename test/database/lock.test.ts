import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { openEngine } from '../../src/database/engine.ts'
import { migrationFiles, openTestEngine, testDatabase } from '../support/database.ts'

const writer = join(import.meta.dirname, 'fixtures/writer.ts')
const rows = { '0001_rows.sql': 'create table rows (id bigint generated always as identity primary key)' }

async function opened(child: ChildProcess): Promise<void> {
  await Promise.race([once(child, 'message'), once(child, 'exit')])
}

t.test('a directory in use is refused with its holder and free at once when that is killed', async (t) => {
  const database = {
    ...(await testDatabase(t, 'embedded', { isEmpty: true })),
    migrations: await migrationFiles(t, rows)
  }
  const holder = fork(writer, [JSON.stringify(database)], { execArgv: [] })
  t.teardown(() => holder.kill('SIGKILL'))
  await opened(holder)

  await t.rejects(openEngine(database), {
    message: `The embedded database in ${database.dataDir} is in use by process ${holder.pid}: stop that one, choose another DATA_DIR, or set DATABASE_URL to share a PostgreSQL`
  })

  holder.kill('SIGKILL')
  await once(holder, 'exit')
  const engine = await openEngine(database)
  t.teardown(() => engine.close())
  await t.resolves(engine.ping())
})

t.test('a directory is refused twice in one process and free once closed', async (t) => {
  const database = await testDatabase(t)
  const engine = await openEngine(database)
  await t.rejects(openEngine(database), { message: new RegExp(`in use by process ${process.pid}`) })
  await t.resolves(engine.ping(), 'the refused one disturbs nothing')
  await engine.close()
  const next = await openEngine(database)
  t.teardown(() => next.close())
  await t.resolves(next.ping())
})

t.test('a directory whose migration failed is free again', async (t) => {
  const database = await testDatabase(t, 'embedded', { isEmpty: true })
  const broken = await migrationFiles(t, { '0001_broken.sql': 'select 1 / 0' })
  await t.rejects(openEngine({ ...database, migrations: broken }), { code: '22012' })
  const engine = await openEngine(database)
  t.teardown(() => engine.close())
  await t.resolves(engine.ping())
})

t.test('two directories do not meet', async (t) => {
  const [one, other] = [await openTestEngine(t), await openTestEngine(t)]
  await t.resolves(Promise.all([one.ping(), other.ping()]))
})
