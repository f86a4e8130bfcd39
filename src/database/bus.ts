import { Socket } from 'node:net'
import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import type { System } from '../core/system.ts'
import type { Tables } from './tables.ts'

/** News between replicas: at once, at most once, to everybody who listens, the publisher too. */
export type Bus = {
  /** Never throws; what cannot be sent is logged. Not from within a transaction, which may come to nothing. */
  publish: (text: string) => void
  /** `missed` is called when news may have been lost on the way. */
  listen: (hear: (text: string) => void, missed: () => void) => void
  close: () => Promise<void>
}

type Options = {
  url: string
  /** Publishes. */
  db: Kysely<Tables>
  /** How long the server may stay silent before it counts as lost. */
  silenceMs?: number
  system: Pick<System, 'sleep' | 'random'>
  log: { warn: (fields: object, phrase: string) => void }
}

const channel = 'calendly_gateway'
// PostgreSQL takes less than 8,000. A text beyond that is sent as an empty one, which stands for news missed.
const maxBytes = 7999
const maxPauseMs = 10_000

/** Where one process is all there is. */
export const silentBus: Bus = { publish: () => {}, listen: () => {}, close: async () => {} }

/** By NOTIFY, with a connection of its own for LISTEN. Waits for the first attempt at that, whatever becomes of it. */
export async function openBus({ url, db, silenceMs = 5000, system, log }: Options): Promise<Bus> {
  const listeners: Parameters<Bus['listen']>[] = []
  const closing = new AbortController()
  const attempted = Promise.withResolvers<void>()
  const finished = keepListening()
  await attempted.promise

  return {
    publish: (text) => {
      const payload = Buffer.byteLength(text) > maxBytes ? '' : text
      sql`select pg_notify(${channel}, ${payload})`
        .execute(db)
        .catch((error) => log.warn({ err: error }, 'news for other replicas not sent'))
    },
    listen: (...listener) => {
      listeners.push(listener)
    },
    close: async () => {
      closing.abort()
      await finished
    }
  }

  async function keepListening(): Promise<void> {
    let isResumed = false
    let failures = 0
    while (!closing.signal.aborted) {
      try {
        await listenUntilLost(() => {
          if (isResumed) tell('')
          failures = 0
          attempted.resolve()
        })
      } catch (error) {
        if (!closing.signal.aborted) log.warn({ err: error }, 'news from other replicas interrupted')
      }
      attempted.resolve()
      isResumed = true
      await sleep(system.random() * Math.min(maxPauseMs, 100 * 2 ** failures++), closing.signal)
    }
  }

  /** Rejects when the connection is lost or cannot be made. */
  async function listenUntilLost(onListening: () => void): Promise<never> {
    // A goodbye would wait for a server that may be gone: the connection is cut.
    const socket = new Socket({ signal: closing.signal })
    const client = new pg.Client({
      connectionString: url,
      stream: () => socket,
      connectionTimeoutMillis: silenceMs,
      query_timeout: silenceMs,
      application_name: 'calendly-gateway bus'
    })
    const lost = new AbortController()
    // An `error` that nobody hears ends the process; what it means is told by `end`.
    client.on('error', () => {})
    client.on('end', () => lost.abort())
    client.on('notification', ({ payload = '' }) => tell(payload))
    try {
      await client.connect()
      await client.query(`listen ${channel}`)
      onListening()
      for (;;) {
        await client.query('select 1')
        await sleep(silenceMs, lost.signal)
      }
    } finally {
      socket.destroy()
    }
  }

  function tell(text: string): void {
    for (const [hear, missed] of listeners) {
      try {
        if (text === '') missed()
        else hear(text)
      } catch (error) {
        // During a roll-out others may speak of what this version does not know.
        log.warn({ err: error }, 'news from other replicas not understood')
      }
    }
  }

  /** Resolves early when the signal fires. */
  async function sleep(ms: number, signal: AbortSignal): Promise<void> {
    await system.sleep(ms, signal).catch((error) => {
      if (!signal.aborted) throw error
    })
  }
}
