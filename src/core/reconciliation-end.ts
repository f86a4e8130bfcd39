import { AppError } from './errors.ts'
import { type RunLog, Superseded } from './reconciliation-log.ts'
import { OutOfPatience } from './reconciliation-patience.ts'

type Deps = {
  signal: AbortSignal
  log: Pick<RunLog, 'finish'>
  machineLog: { error: (fields: object, phrase: string) => void }
}

/**
 * Writes down how a run ended; not where the signal fired or another replica has taken over, which goes on with it.
 * Throws `database_unavailable`, since the database will be back.
 */
export async function runToItsEnd(
  id: string,
  { signal, log, machineLog }: Deps,
  run: () => Promise<void>
): Promise<void> {
  try {
    await run()
    await log.finish('succeeded')
  } catch (error) {
    if (error instanceof Superseded || signal.aborted) return
    if (error instanceof AppError && error.code === 'database_unavailable') throw error
    machineLog.error({ err: error, reconciliation: id }, 'reconciliation failed')
    const isTheirs = error instanceof OutOfPatience || error instanceof AppError
    await log.finish('failed', isTheirs ? error.message : 'Something went wrong on our side.')
  }
}
