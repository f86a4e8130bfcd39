import { execFile } from 'node:child_process'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import t from 'tap'
import { request } from 'undici'
import { engines, testDatabase } from './support/database.ts'
import { startServer } from './support/process.ts'
import { sendRaw } from './support/raw.ts'
import { until } from './support/service.ts'
import { ask, book, deliver, directory, environment, freeTimes, startSandbox } from './support/started.ts'

t.setTimeout(180_000)

for (const engine of engines) {
  t.test(`SIGTERM drains: nobody is cut off (${engine})`, async (t) => {
    const sandbox = await startSandbox(t)
    const { dataDir, url } = await testDatabase(t, engine)
    const server = await startServer(
      t,
      environment(sandbox, { DATA_DIR: dataDir, DRAIN_SECONDS: '1', ...(url && { DATABASE_URL: url }) })
    )
    const [first = '', second = ''] = await freeTimes(server)
    await request(`${sandbox.url}/__sandbox/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        match: { method: 'POST', path: '/invitees' },
        kind: 'latency',
        latency_ms: 1500,
        times: 1
      })
    })
    const inFlight = book(server, first)
    await until(
      async () => ask(server, 'GET', '/api/v1/bookings'),
      ({ body }) => body.data.length === 1
    )
    server.kill('SIGTERM')
    await until(
      () => ask(server, 'GET', '/api/health/ready'),
      ({ status }) => status === 503
    )
    t.equal((await ask(server, 'GET', '/api/health/live')).status, 200)
    t.equal((await book(server, second)).status, 201, 'a new request while draining')
    t.equal((await deliver(server, 'DRAINING')).status, 204, 'a webhook while draining')
    t.equal((await inFlight).status, 201, 'what was in flight')
    t.match(await server.ended, { code: 0, signal: null })
  })

  t.test(`SIGTERM waits for no connection on which nothing is asked (${engine})`, async (t) => {
    const sandbox = await startSandbox(t)
    const { dataDir, url } = await testDatabase(t, engine)
    const server = await startServer(
      t,
      environment(sandbox, { DATA_DIR: dataDir, ...(url && { DATABASE_URL: url }) })
    )
    const idle = ['', 'GET /api/v1/bookings HTTP/1.1\r\nhost: a\r\nx-half: '].map((bytes) =>
      sendRaw(server.address, bytes, { isUnfinished: true })
    )
    t.equal((await ask(server, 'GET', '/api/health/live')).status, 200, 'connected after them')
    server.kill('SIGTERM')
    t.same(await Promise.all(idle), ['', ''], 'closed without a word')
    t.match(await server.ended, { code: 0, signal: null })
  })

  t.test(`what was answered is still there after kill -9 (${engine})`, async (t) => {
    const sandbox = await startSandbox(t)
    const { dataDir, url } = await testDatabase(t, engine)
    const env = environment(sandbox, { DATA_DIR: dataDir, ...(url && { DATABASE_URL: url }) })
    const first = await startServer(t, env)
    const [startTime = ''] = await freeTimes(first)
    const booked = await book(first, startTime)
    t.equal(booked.status, 201)
    t.equal((await deliver(first, 'KILLED')).status, 204)
    first.kill('SIGKILL')
    await first.ended

    const second = await startServer(t, env)
    t.match(await ask(second, 'GET', `/api/v1/bookings/${booked.body.id}`), {
      status: 200,
      body: { status: 'confirmed' }
    })
    t.equal((await book(second, startTime)).body.id, booked.body.id, 'a retry is answered with it')
    await until(
      () => ask(second, 'GET', '/api/v1/bookings'),
      ({ body }) => body.data.length === 2
    )
  })
}

for (const engine of engines.filter((engine) => engine === 'postgresql')) {
  t.test(`the process outlives its database connections (${engine})`, async (t) => {
    const sandbox = await startSandbox(t)
    const { dataDir, url = '' } = await testDatabase(t, engine)
    const server = await startServer(t, environment(sandbox, { DATA_DIR: dataDir, DATABASE_URL: url }))
    const administrator = new pg.Client(url)
    await administrator.connect()
    t.teardown(() => administrator.end())
    const terminate = () =>
      administrator.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`)

    for (let round = 0; round < 5; round++) {
      const asked = Array.from({ length: 20 }, () => ask(server, 'GET', '/api/v1/bookings'))
      await terminate()
      for (const { status, body } of await Promise.all(asked)) {
        if (status !== 200)
          t.match({ status, code: body.code }, { status: 503, code: 'database_unavailable' })
      }
    }
    await until(
      () => ask(server, 'GET', '/api/v1/bookings'),
      ({ status }) => status === 200
    )
    t.equal((await deliver(server, 'AFTERWARDS')).status, 204)
    server.kill('SIGTERM')
    t.match(await server.ended, { code: 0 })
  })
}

t.test('a full disk refuses what it cannot keep, and nothing is lost', async (t) => {
  const run = promisify(execFile)
  const disk = await directory(t)
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=192m', 'tmpfs', disk])
  } catch {
    return void t.plan(0, 'only root may mount a small disk')
  }
  t.teardown(() => run('umount', [disk]).then(() => {}))
  const sandbox = await startSandbox(t)
  const env = environment(sandbox, { DATA_DIR: join(disk, 'data') })
  const first = await startServer(t, env)
  const [before = '', meanwhile = '', after = ''] = await freeTimes(first)
  const booked = await book(first, before)
  t.equal(booked.status, 201)

  const filler = join(disk, 'filler')
  await fill(filler)
  t.match(await deliver(first, 'FULL'), { status: 503, body: { code: 'database_unavailable' } })
  t.match(await book(first, meanwhile), { status: 503, body: { code: 'database_unavailable' } })
  t.equal((await ask(first, 'GET', '/api/health/live')).status, 200)
  t.equal((await ask(first, 'GET', '/api/health/ready')).status, 503)

  await rm(filler)
  t.equal((await deliver(first, 'FULL')).status, 204, 'its repetition is kept')
  t.equal((await book(first, meanwhile)).status, 201)
  first.kill('SIGKILL')
  await first.ended

  const second = await startServer(t, env)
  t.equal((await ask(second, 'GET', `/api/v1/bookings/${booked.body.id}`)).status, 200)
  t.equal((await book(second, after)).status, 201)
  second.kill('SIGTERM')
  await second.ended
})

/** Until not one byte fits any more. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'w')
  const block = Buffer.alloc(1024 * 1024)
  try {
    for (;;) await file.write(block)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    await file.close()
  }
}
