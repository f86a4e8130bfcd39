import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * Takes the directory for this process and gives back what releases it. The lock is the kernel's, on a file
 * that SQLite opens, so it is gone the moment its holder is. Throws when another process holds it.
 */
export function lockDirectory(directory: string): () => void {
  // Nothing else may open the lock's file: closing it would drop the lock. Hence a second one for the pid.
  const pidPath = join(directory, 'lock.pid')
  const lock = new DatabaseSync(join(directory, 'lock'))
  try {
    lock.exec('begin exclusive')
  } catch (error) {
    lock.close()
    if (!isBusy(error)) throw error
    throw new Error(
      `The embedded database in ${directory} is in use by process ${pidOf(pidPath)}: ` +
        'stop that one, choose another DATA_DIR, or set DATABASE_URL to share a PostgreSQL',
      { cause: error }
    )
  }
  writeFileSync(pidPath, `${process.pid}\n`)
  return () => {
    rmSync(pidPath, { force: true })
    lock.close()
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5
}

/** The holder may be between taking the lock and writing its pid. */
function pidOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return 'unknown'
  }
}
