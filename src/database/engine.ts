import { join } from 'node:path'
import { type Dialect, Kysely, sql, type Transaction } from 'kysely'
import { AppError } from '../core/errors.ts'
import type { System } from '../core/system.ts'
import { createDialect, type Source } from './dialect.ts'
import { openEmbedded } from './embedded.ts'
import { isTransactionConflict } from './failures.ts'
import { isCurrent, migrate } from './migrate.ts'
import { assertDurable, openPostgresql } from './postgresql.ts'
import type { Tables } from './tables.ts'
import { createTransactionScope } from './transaction-scope.ts'

export type Engine = {
  kind: 'embedded' | 'postgresql'
  /** For bare queries. Inside a transaction it refuses to work: use `tx`. */
  db: Kysely<Tables>
  /**
   * Read committed. `work` may run more than once: it is repeated after a deadlock or serialization failure.
   * After `database_unavailable` it may have been committed all the same: the answer can be lost.
   */
  transaction: <T>(work: (tx: Transaction<Tables>) => Promise<T>) => Promise<T>
  /** Rejects with `database_unavailable`. */
  ping: () => Promise<void>
  schemaIsCurrent: () => Promise<boolean>
  /** Grows before anything that was changed can be seen; the embedded engine's alone, where nobody else can write. */
  changes: (() => number) | undefined
  close: () => Promise<void>
}

export type EngineOptions = {
  /** PostgreSQL's; without it the database is embedded, under `dataDir`. */
  url?: string | undefined
  dataDir: string
  poolSize?: number
  /** PostgreSQL's alone; 30,000 unless told otherwise. */
  statementTimeoutMs?: number
  system: Pick<System, 'sleep' | 'random'>
  log: Record<'warn' | 'fatal', (fields: object, phrase: string) => void>
  /** Directory of `NNNN_name.sql`. */
  migrations?: string
}

const attempts = 4

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { url, system, migrations = join(import.meta.dirname, 'migrations') } = options
  const scope = createTransactionScope()
  let changes: Source['changes']
  const db = await openMigrated(options, migrations, (source) => {
    changes = source.changes
    return createDialect(source, scope)
  })

  return {
    kind: url === undefined ? 'embedded' : 'postgresql',
    db,
    transaction: async (work) => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await db.transaction().execute((tx) => scope.run(() => work(tx)))
        } catch (error) {
          if (attempt === attempts || !isTransactionConflict(error)) throw error
          await system.sleep(system.random() * 20 * 2 ** attempt)
        }
      }
    },
    ping: async () => {
      const { rows } = await sql<{ is_read_only: boolean }>`
        select current_setting('transaction_read_only') = 'on' as is_read_only`.execute(db)
      if (rows[0]?.is_read_only) throw new AppError('database_unavailable', 'The database takes no writes')
    },
    schemaIsCurrent: () => isCurrent(db, migrations),
    changes,
    close: () => db.destroy()
  }
}

async function openMigrated(
  { url, ...options }: EngineOptions,
  migrations: string,
  dialectOf: (source: Source) => Dialect
): Promise<Kysely<Tables>> {
  const connect = (source: Source) => new Kysely<Tables>({ dialect: dialectOf(source) })
  if (url === undefined) {
    const db = connect(await openEmbedded(options))
    await migrate(db, migrations).catch(async (error) => {
      await db.destroy()
      throw error
    })
    return db
  }
  // A migration, and waiting for another replica's, may take its time.
  const migrating = connect(openPostgresql({ ...options, url, poolSize: 1, statementTimeoutMs: 0 }))
  try {
    await assertDurable(migrating)
    await migrate(migrating, migrations)
  } finally {
    await migrating.destroy()
  }
  return connect(openPostgresql({ ...options, url }))
}
