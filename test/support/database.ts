import { createHash, randomUUID } from 'node:crypto'
import { cpSync, existsSync, globSync, readFileSync, statfsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { realSystem } from '../../src/core/system.ts'
import { openEmbedded } from '../../src/database/embedded.ts'
import { type Engine, type EngineOptions, openEngine } from '../../src/database/engine.ts'

export type EngineKind = Engine['kind']
export type Test = { teardown: (work: () => Promise<void> | void) => unknown }

const server = process.env.TEST_DATABASE_URL
const migrations = join(import.meta.dirname, '../../src/database/migrations')
const memory = '/dev/shm'
const roomBytes = 2 * 1024 ** 3

/** The engines that this run covers: PostgreSQL only where `TEST_DATABASE_URL` names a server. */
export const engines: readonly EngineKind[] = server ? ['embedded', 'postgresql'] : ['embedded']

type Place = {
  /** Without our schema, for migrations of its own. */
  isEmpty?: boolean
  /** Where writing through costs what it costs. */
  isOnDisk?: boolean
}

/** Options for `openEngine` on a database of its own with nothing in it, which the test's end removes. */
export async function testDatabase(
  t: Test,
  kind: EngineKind = 'embedded',
  { isEmpty = false, isOnDisk = false }: Place = {}
): Promise<EngineOptions> {
  const dataDir = await mkdtemp(join(isOnDisk ? tmpdir() : inMemory(), 'calendly-gateway-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const options = { dataDir, system: realSystem, log: { warn: () => {}, fatal: () => {} } }
  if (kind === 'postgresql') return { ...options, url: await createDatabase(t) }
  cpSync(await embeddedTemplate(isEmpty), dataDir, { recursive: true })
  return options
}

/** An engine on a database of its own, closed by the test's end. */
export async function openTestEngine(
  t: Test,
  kind: EngineKind = 'embedded',
  overrides: Partial<EngineOptions> = {}
): Promise<Engine> {
  const isEmpty = overrides.migrations !== undefined
  const engine = await openEngine({ ...(await testDatabase(t, kind, { isEmpty })), ...overrides })
  t.teardown(() => engine.close())
  return engine
}

/** Two engines on one database, as two replicas have them; the embedded one is shared. Closed by the test's end. */
export async function openReplicas(t: Test, kind: EngineKind): Promise<[Engine, Engine]> {
  const options = await testDatabase(t, kind)
  const open = async () => {
    const engine = await openEngine(options)
    t.teardown(() => engine.close())
    return engine
  }
  const one = await open()
  return [one, kind === 'embedded' ? one : await open()]
}

/** Looks into, or prepares, a database that no service has open. */
export async function inDatabase<T>(
  options: EngineOptions,
  work: (db: Engine['db']) => Promise<T>
): Promise<T> {
  const engine = await openEngine(options)
  try {
    return await work(engine.db)
  } finally {
    await engine.close()
  }
}

/** A directory of migrations: file name → script. */
export async function migrationFiles(t: Test, scripts: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'migrations-'))
  t.teardown(() => rm(directory, { recursive: true }))
  for (const [name, script] of Object.entries(scripts)) await writeFile(join(directory, name), script)
  return directory
}

async function createDatabase(t: Test): Promise<string> {
  if (server === undefined) throw new Error('TEST_DATABASE_URL is not set')
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await administer(server, `create database ${name}`)
  t.teardown(() => administer(server, `drop database ${name} with (force)`))
  return Object.assign(new URL(server), { pathname: `/${name}` }).href
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** What is written through to memory is there at once; many small databases take some room. */
function inMemory(): string {
  if (!existsSync(memory)) return tmpdir()
  const { bavail, bsize } = statfsSync(memory)
  return bavail * bsize > roomBytes ? memory : tmpdir()
}

/** Making an embedded database takes seconds, copying one a fraction of one. It goes with `npm ci`. */
async function embeddedTemplate(isEmpty: boolean): Promise<string> {
  const cache = join(import.meta.dirname, '../../node_modules/.cache')
  const template = join(cache, isEmpty ? 'embedded-database' : `embedded-database-${schemaDigest()}`)
  if (existsSync(template)) return template
  await mkdir(cache, { recursive: true })
  const draft = await mkdtemp(join(cache, 'draft-'))
  const options = { dataDir: draft, system: realSystem, log: { warn: () => {}, fatal: () => {} } }
  const made = await (isEmpty ? openEmbedded(options) : openEngine(options))
  await made.close()
  // Another test process may have been faster; theirs is as good.
  await rename(draft, template).catch(() => rm(draft, { recursive: true }))
  return template
}

/** Of the migrations as they are. */
function schemaDigest(): string {
  const digest = createHash('sha256')
  for (const file of globSync(join(migrations, '*.sql')).toSorted()) digest.update(readFileSync(file))
  return digest.digest('hex').slice(0, 16)
}
