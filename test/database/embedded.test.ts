import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { openEmbedded } from '../../src/database/embedded.ts'
import { type EngineOptions, openEngine } from '../../src/database/engine.ts'
import { migrationFiles, openTestEngine, testDatabase } from '../support/database.ts'

const writer = join(import.meta.dirname, 'fixtures/writer.ts')
const onDisk = { isEmpty: true, isOnDisk: true }
const rows = { '0001_rows.sql': 'create table rows (id bigint generated always as identity primary key)' }

/** The ids that a process reports as committed until it has ended. */
async function reported(child: ChildProcess, onReport: (count: number) => void): Promise<number[]> {
  const ids: number[] = []
  child.on('message', (message) => {
    if (typeof message === 'number') onReport(ids.push(message))
  })
  await once(child, 'close')
  return ids
}

async function missing(ids: readonly number[], database: EngineOptions): Promise<number[]> {
  const engine = await openEngine(database)
  const { rows } = await sql<{ id: number }>`select id from rows`.execute(engine.db)
  await engine.close()
  const found = new Set(rows.map(({ id }) => id))
  return ids.filter((id) => !found.has(id))
}

t.test('settings of the log: written through at every commit', async (t) => {
  const { db } = await openTestEngine(t)
  const settings = await sql`
    select name, setting from pg_settings
    where name in ('fsync', 'synchronous_commit', 'wal_sync_method', 'full_page_writes') order by name
  `.execute(db)
  t.same(settings.rows, [
    { name: 'fsync', setting: 'on' },
    { name: 'full_page_writes', setting: 'on' },
    { name: 'synchronous_commit', setting: 'on' },
    { name: 'wal_sync_method', setting: 'open_datasync' }
  ])
})

t.test('what was committed is there after kill -9', async (t) => {
  const database = {
    ...(await testDatabase(t, 'embedded', onDisk)),
    migrations: await migrationFiles(t, rows)
  }
  const child = fork(writer, [JSON.stringify(database)], { execArgv: [] })
  t.teardown(() => child.kill('SIGKILL'))
  const ids = await reported(child, (count) => {
    if (count === 100) child.kill('SIGKILL')
  })
  t.ok(ids.length >= 100)

  t.same(await missing(ids, database), [])
})

t.test('a log that cannot grow ends the process, and what was committed is there', async (t) => {
  const database = {
    ...(await testDatabase(t, 'embedded', onDisk)),
    migrations: await migrationFiles(t, rows)
  }
  // No file over 8 MB, and an error instead of a signal: a segment of the log has 16 MB.
  const limited = `trap '' XFSZ; ulimit -f 8192; exec "$0" "$@"`
  const child = spawn('bash', ['-c', limited, process.execPath, writer, JSON.stringify(database)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc']
  })
  let said = ''
  child.stderr?.on('data', (chunk) => {
    said += chunk
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ids = await reported(child, () => {})
  t.equal(child.exitCode, 1)
  t.match(said, /embedded database failed/)
  t.ok(ids.length > 0)

  t.same(await missing(ids, database), [])
})

t.test('a disk that is nearly full refuses work before it begins', async (t) => {
  const { dataDir } = await testDatabase(t)
  const log = { fatal: () => {} }
  const source = await openEmbedded({ dataDir, log, reserveBytes: Number.MAX_SAFE_INTEGER })
  t.teardown(() => source.close())
  await t.rejects(source.acquire(), {
    code: 'database_unavailable',
    retryAfterMs: 1000,
    cause: { message: /The disk of .* has less than \d+ bytes left/ }
  })
})

t.test('a first start that is interrupted leaves nothing in the way of the next', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'calendly-gateway-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const database = {
    ...(await testDatabase(t, 'embedded', onDisk)),
    migrations: await migrationFiles(t, rows),
    dataDir
  }
  const child = fork(writer, [JSON.stringify(database)], { execArgv: [] })
  t.teardown(() => child.kill('SIGKILL'))
  const isCreated = () => globSync('*/PG_VERSION', { cwd: dataDir }).length > 0
  while (!isCreated()) await setImmediate()
  child.kill('SIGKILL')
  await once(child, 'exit')

  const engine = await openEngine(database)
  t.teardown(() => engine.close())
  t.same((await sql`select count(*) from rows`.execute(engine.db)).rows, [{ count: 0 }])
})

t.test('a new directory is for its owner alone', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'calendly-gateway-'))
  t.teardown(() => rm(parent, { recursive: true }))
  const dataDir = join(parent, 'not/yet/there')
  const source = await openEmbedded({ dataDir, log: { fatal: () => {} } })
  await source.close()
  t.equal((await stat(dataDir)).mode & 0o777, 0o700)
})
