import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult
} from 'kysely'
import { translateFailure } from './failures.ts'
import type { TransactionScope } from './transaction-scope.ts'

export type SessionResult = { command: string; rows: unknown[]; affectedRows: number }

const changing = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])

/** One connection, lent to one bare query or one transaction at a time. */
export type Session = {
  /** Without parameters `text` may hold several statements; the result is the last one's. */
  query: (text: string, parameters: readonly unknown[]) => Promise<SessionResult>
  /** Ends the loan. A broken connection is never lent again. */
  release: (isBroken: boolean) => void
}

/** Where an engine's connections come from. */
export type Source = {
  acquire: () => Promise<Session>
  close: () => Promise<void>
  /** Grows before anything that was changed can be seen; there where nobody else can change anything. */
  changes?: () => number
}

/**
 * One driver for both engines. Kysely's own PGlite driver waits for ever when a transaction cannot begin and
 * when the outer handle is used inside one, and wakes every waiting query for each that ends.
 */
export function createDialect(source: Source, scope: TransactionScope): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => createDriver(source, scope),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler()
  }
}

function createDriver(source: Source, scope: TransactionScope): Driver {
  // Kysely hands back what acquireConnection gave it, typed as any connection.
  const ours = (connection: DatabaseConnection) => connection as Connection
  return {
    init: async () => {},
    acquireConnection: async () => {
      scope.assertOutside()
      return new Connection(await translated(source.acquire()))
    },
    beginTransaction: async (connection) => {
      await ours(connection).run('begin isolation level read committed')
    },
    commitTransaction: async (connection) => {
      const { command } = await ours(connection).run('commit')
      if (command === 'ROLLBACK')
        throw new Error('Nothing was committed: a failed statement had been ignored')
    },
    rollbackTransaction: (connection) => ours(connection).rollback(),
    releaseConnection: async (connection) => ours(connection).release(),
    destroy: () => source.close()
  }
}

class Connection implements DatabaseConnection {
  readonly #session: Session
  #isBroken = false

  constructor(session: Session) {
    this.#session = session
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { command, rows, affectedRows } = await this.run(sql, parameters)
    return {
      rows: rows as R[],
      ...(changing.has(command) && { numAffectedRows: BigInt(affectedRows) })
    }
  }

  // biome-ignore lint/correctness/useYield: there is nothing to yield
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('Queries are not streamed')
  }

  run(text: string, parameters: readonly unknown[] = []): Promise<SessionResult> {
    return translated(this.#session.query(text, parameters))
  }

  /** Never throws: the failure that led here is the one to be heard of. */
  async rollback(): Promise<void> {
    try {
      await this.run('rollback')
    } catch {
      this.#isBroken = true
    }
  }

  release(): void {
    this.#session.release(this.#isBroken)
  }
}

async function translated<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise
  } catch (error) {
    throw translateFailure(error)
  }
}
