import { existsSync, statfsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { PGlite } from '@electric-sql/pglite'
import { btree_gist } from '@electric-sql/pglite/contrib/btree_gist'
import { AppError } from '../core/errors.ts'
import type { Session, Source } from './dialect.ts'
import { lockDirectory } from './lock.ts'
import { parsers } from './values.ts'

// Two segments of the engine's log, so that it never finds the disk full in the middle of a commit.
const defaultReserveBytes = 32 * 1024 * 1024

type Options = { dataDir: string; reserveBytes?: number; log: Log }
type Log = { fatal: (fields: object, phrase: string) => void }

/**
 * PostgreSQL inside this process, its files under `dataDir`; one process at a time. Refuses work with
 * `database_unavailable` while the disk has less than `reserveBytes` left.
 */
export async function openEmbedded(options: Options): Promise<Source> {
  const { dataDir, reserveBytes = defaultReserveBytes, log } = options
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const unlock = lockDirectory(dataDir)
  try {
    const database = await openDatabase(join(dataDir, 'database'), log)
    const turns = createTurns()
    let changes = 0
    const session: Session = {
      query: (text, parameters) => {
        // Before it runs: whoever asks from now on is served after it.
        if (!isMereRead(text)) changes++
        return query(database, text, parameters)
      },
      release: turns.pass
    }
    return {
      changes: () => changes,
      acquire: async () => {
        assertSpace(dataDir, reserveBytes)
        await turns.take()
        return session
      },
      close: async () => {
        try {
          await database.close()
        } finally {
          unlock()
        }
      }
    }
  } catch (error) {
    unlock()
    throw error
  }
}

/** A first start that is interrupted leaves a draft behind, never half a database. */
async function openDatabase(directory: string, log: Log): Promise<PGlite> {
  if (!existsSync(directory)) {
    const draft = `${directory}.draft`
    await rm(draft, { recursive: true, force: true })
    const created = await startDatabase(draft, log)
    await created.close()
    await rename(draft, directory)
  }
  return startDatabase(directory, log)
}

function startDatabase(directory: string, log: Log): Promise<PGlite> {
  return PGlite.create(directory, {
    extensions: { btree_gist },
    parsers,
    onStderr: (line) => stopAfterPanic(line, log),
    // By default nothing is ever synced to disk. `open_datasync` writes through at 3,300 commits/s.
    startParams: [
      ...PGlite.defaultStartParams.filter((parameter) => parameter !== '-F'),
      ...['fsync=on', 'wal_sync_method=open_datasync', 'shared_buffers=8MB', 'timezone=UTC'].flatMap(
        (setting) => ['-c', setting]
      )
    ]
  })
}

/**
 * After a panic PostgreSQL restarts and recovers from its log. This one would go on in an undefined state, or
 * in an endless loop, so the process has to end; the next one recovers.
 */
function stopAfterPanic(line: string, log: Log): boolean {
  if (/PANIC: |^Aborted\(/.test(line)) {
    log.fatal({ line }, 'embedded database failed, ending the process')
    process.exit(1)
  }
  return false
}

function assertSpace(directory: string, reserveBytes: number): void {
  const { bavail, bsize } = statfsSync(directory)
  if (bavail * bsize >= reserveBytes) return
  const cause = new Error(`The disk of ${directory} has less than ${reserveBytes} bytes left`)
  throw new AppError('database_unavailable', undefined, { cause, retryAfterMs: 1000 })
}

/** `with` may hold an insert. */
const isMereRead = (text: string) => /^\s*select\s/i.test(text)

async function query(database: PGlite, text: string, parameters: readonly unknown[]) {
  const result =
    parameters.length > 0 ? await database.query(text, [...parameters]) : (await database.exec(text)).at(-1)
  return { command: result?.command ?? '', rows: result?.rows ?? [], affectedRows: result?.affectedRows ?? 0 }
}

/** One connection for everybody, in the order of asking. */
function createTurns() {
  const waiting: (() => void)[] = []
  let isTaken = false
  return {
    take: async () => {
      if (isTaken) await new Promise<void>((resolve) => waiting.push(resolve))
      isTaken = true
      // The engine never leaves the event loop by itself: without this, no timer and no socket has a turn.
      await setImmediate()
    },
    pass: () => {
      const next = waiting.shift()
      if (next) next()
      else isTaken = false
    }
  }
}
