import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { testDatabase } from './support/database.ts'
import { type Running, spawnServer, startServer } from './support/process.ts'
import { sendRaw } from './support/raw.ts'
import { adminKey, until } from './support/service.ts'
import { ask, directory } from './support/started.ts'

t.setTimeout(180_000)

/** Begun here, since it takes its time, and looked at in the end. */
const slowlyAsked = await startServer(t, {
  DATA_DIR: (await testDatabase(t)).dataDir,
  ADMIN_API_KEY: adminKey
})
const head =
  `POST /api/v1/caller-keys HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${adminKey}\r\n` +
  'content-type: application/json\r\ncontent-length: 100\r\n'
const letGo = Promise.all(
  [
    'POST',
    head,
    `${head}\r\n{"name":`,
    'POST /api/webhooks/calendly HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{'
  ].map((bytes) => sendRaw(slowlyAsked.address, bytes, { isUnfinished: true }))
)

t.test('development starts with no variable, and makes an admin key that outlives a restart', async (t) => {
  const cwd = await directory(t)
  const keyOf = ({ said }: Running) => /^Admin key .*: (cgw_\S+)$/m.exec(said.stderr)?.[1] ?? ''
  const start = async () => {
    const server = await startServer(t, {}, cwd)
    await until(
      async () => keyOf(server),
      (key) => key !== ''
    )
    return server
  }
  const first = await start()
  const key = keyOf(first)
  t.equal(first.said.stderr.split(key).length, 2, 'printed once')
  t.notOk(first.said.stdout.includes(key), 'and not into the log')
  t.equal((await ask(first, 'GET', '/api/v1/caller-keys', { key })).status, 200)
  t.match(new URL(first.address).hostname, '127.0.0.1', 'for this machine alone')
  for (const missing of ['CALENDLY_API_TOKEN', 'CALENDLY_WEBHOOK_SIGNING_KEY', 'PUBLIC_URL']) {
    t.ok(first.said.stdout.includes(missing), `${missing} is said to be missing`)
  }
  first.kill('SIGTERM')
  t.equal((await first.ended).signal, null)

  const second = await start()
  t.equal(keyOf(second), key)
  t.equal((await ask(second, 'GET', '/api/v1/caller-keys', { key })).status, 200)
})

t.test('production refuses to start, naming every fault at once', async (t) => {
  const cwd = await directory(t)
  const env = { APP_ENV: 'production', PORT: 'none', CALENDLY_WINDOW_DAYS: '90' }
  const { code, stdout, stderr } = await spawnServer(t, env, cwd).ended
  t.equal(code, 1)
  t.equal(stdout, '')
  for (const name of [
    ...['PORT', 'CALENDLY_WINDOW_DAYS', 'DATABASE_URL', 'CALENDLY_API_TOKEN', 'CALENDLY_WEBHOOK_SIGNING_KEY'],
    ...['ADMIN_API_KEY', 'ENCRYPTION_KEY', 'PUBLIC_URL']
  ]) {
    t.match(stderr, new RegExp(`^ *${name} `, 'm'))
  }
  t.notOk(existsSync(join(cwd, 'data')), 'and leaves nothing behind')
})

t.test('a port in use is named, and the process ends', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const { dataDir } = await testDatabase(t)
  const { code, stderr } = await spawnServer(t, { DATA_DIR: dataDir, PORT: String(port) }).ended
  t.equal(code, 1)
  t.match(stderr, new RegExp(`EADDRINUSE.*:${port}`))
  t.notMatch(stderr, /\n\s+at /, 'without a stack')
})

t.test('a database that cannot be reached is said so, and the process ends', async (t) => {
  const DATABASE_URL = 'postgres://gateway:not-to-be-shown@127.0.0.1:1/gateway'
  const { code, stdout, stderr } = await spawnServer(t, { DATABASE_URL, DATA_DIR: await directory(t) }).ended
  t.equal(code, 1)
  t.match(stderr, /database cannot be reached.*ECONNREFUSED 127\.0\.0\.1:1/s)
  t.notMatch(stdout + stderr, 'not-to-be-shown')
})

t.test('a second process on the same directory is refused and told who has it', async (t) => {
  const { dataDir } = await testDatabase(t)
  const first = await startServer(t, { DATA_DIR: dataDir })
  const { code, stderr } = await spawnServer(t, { DATA_DIR: dataDir }).ended
  t.equal(code, 1)
  t.match(stderr, `in use by process ${first.pid}`)
  t.equal((await ask(first, 'GET', '/api/health/ready')).status, 200)
})

t.test('a client that is too slow is let go', async (t) => {
  const answers = await letGo
  for (const answer of answers) t.match(answer, /^HTTP\/1\.1 4\d\d [\s\S]*problem\+json/)
  t.equal((await ask(slowlyAsked, 'GET', '/api/health/ready')).status, 200)
})
