import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, globSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { freePort, type Stage } from './stage.ts'

const startsWithinMs = 30_000
const keptOutput = 2_000

/** A PostgreSQL of its own that can be killed like a process, data and all left as they are. */
export async function openPostgresqlServer(stage: Pick<Stage, 'teardown'>) {
  const programs = findPrograms()
  const owner = ownerOf()
  const directory = await mkdtemp(join(tmpdir(), 'calendly-gateway-postgresql-'))
  if (owner) chownSync(directory, owner.uid, owner.gid)
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  let server: ChildProcess | undefined
  let output = ''

  const data = join(directory, 'data')
  execFileSync(join(programs, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8'], {
    ...owner,
    stdio: 'ignore'
  })

  function run(): ChildProcess {
    const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: directory }
    const started = spawn(
      join(programs, 'postgres'),
      ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...owner, stdio: ['ignore', 'ignore', 'pipe'] }
    )
    started.stderr?.on('data', (chunk) => {
      output = (output + chunk).slice(-keptOutput)
    })
    return started
  }

  async function isUp(): Promise<boolean> {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query('select 1')
      return true
    } catch {
      return false
    } finally {
      await client.end().catch(() => {})
    }
  }

  async function kill(): Promise<void> {
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const gone = once(server, 'exit')
    server.kill('SIGKILL')
    await gone
  }

  stage.teardown(async () => {
    await kill()
    // What it had started sees its end and follows; until then it may still write.
    await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
  })

  return {
    url,
    kill,
    /** Resolves when it takes queries. It does not start before the last process of the one before is gone. */
    async start(): Promise<void> {
      const latest = Date.now() + startsWithinMs
      server = run()
      while (!(await isUp())) {
        if (Date.now() > latest) throw new Error(`PostgreSQL did not start:\n${output}`)
        await sleep(50)
        if (server.exitCode !== null) server = run()
      }
    }
  }
}

/** The newest of those that a distribution installs. */
function findPrograms(): string {
  const [newest] = globSync('/usr/lib/postgresql/*/bin').toSorted().toReversed()
  if (newest === undefined || !existsSync(join(newest, 'initdb'))) {
    throw new Error('This experiment needs the programs of PostgreSQL under /usr/lib/postgresql')
  }
  return newest
}

/** PostgreSQL does not run as root. */
function ownerOf(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
