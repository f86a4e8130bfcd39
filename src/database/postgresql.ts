import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import type { Source } from './dialect.ts'
import type { Tables } from './tables.ts'
import { parsers } from './values.ts'

type Options = {
  url: string
  poolSize?: number
  /** 0 is no limit. */
  statementTimeoutMs?: number
  log: { warn: (fields: object, phrase: string) => void }
}

/** A pool of connections to PostgreSQL. None is made before it is needed. */
export function openPostgresql(options: Options): Source {
  const { url, poolSize = 10, statementTimeoutMs = 30_000, log } = options
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: 5000,
    // For the server that cannot keep its own time limit because nothing from it arrives any more.
    query_timeout: statementTimeoutMs * 1.2,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'calendly-gateway',
    types: { getTypeParser: (id, format) => parsers[id] ?? pg.types.getTypeParser(id, format) },
    // Statements of our own, because `options` in the URL would replace the pool's. Compiling takes longer than
    // any of our queries, and a table that was never analyzed is enough for it.
    // oxlint-disable-next-line typescript/no-misused-promises -- the pool waits for it, its types do not know
    onConnect: async (client) => {
      await client.query(
        `set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres'; set jit = off;
         set statement_timeout = ${statementTimeoutMs};
         set idle_in_transaction_session_timeout = ${statementTimeoutMs}`
      )
    }
  })
  // Both kinds of connection, idle and lent, report their loss as an event, and one that nobody hears ends
  // the process. Whoever holds a lent one learns it from the next query.
  pool.on('error', (error) => log.warn({ err: error }, 'idle database connection lost'))
  pool.on('connect', (client) => client.on('error', () => {}))

  // Whoever waits for a connection when the pool is closed would wait for ever.
  const waiting = new Set<(error: Error) => void>()
  function connect(): Promise<pg.PoolClient> {
    const { promise, resolve, reject } = Promise.withResolvers<pg.PoolClient>()
    waiting.add(reject)
    const take = (client: pg.PoolClient) => (waiting.delete(reject) ? resolve(client) : client.release(true))
    pool.connect().then(take, reject)
    return promise.finally(() => waiting.delete(reject))
  }

  return {
    acquire: async () => {
      const client = await connect()
      // Whatever is asked after an answer that never came would wait behind it.
      let isStuck = false
      return {
        query: async (text, parameters) => {
          if (isStuck) throw new Error('Connection terminated: an answer is overdue')
          const result = await client.query(text, [...parameters]).catch((error) => {
            isStuck = error.message === 'Query read timeout'
            throw error
          })
          const { command, rows, rowCount } = Array.isArray(result) ? result.at(-1) : result
          return { command, rows, affectedRows: rowCount ?? 0 }
        },
        release: (isBroken) => client.release(isBroken || isStuck)
      }
    },
    close: async () => {
      const ended = pool.end()
      for (const giveUp of waiting) giveUp(new Error('Connection terminated: the pool is closed'))
      waiting.clear()
      await ended
    }
  }
}

/** Rejects when the server is set to acknowledge commits that a crash would undo. */
export async function assertDurable(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select name from pg_settings where name in ('fsync', 'synchronous_commit') and setting = 'off'
  `.execute(db)
  if (rows.length === 0) return
  const names = rows.map(({ name }) => name).join(' and ')
  throw new Error(`PostgreSQL would lose acknowledged commits in a crash: turn on its ${names}`)
}
