import { createServer } from 'node:net'
import type { FastifyServerOptions } from 'fastify'
import type { Kysely } from 'kysely'
import type { Test } from 'tap'
import { request } from 'undici'
import { buildApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { realSystem, type System } from '../../src/core/system.ts'
import { openEngine } from '../../src/database/engine.ts'
import type { Tables } from '../../src/database/tables.ts'
import { openSandbox, type Sandbox, type SandboxOptions } from '../../src/sandbox/sandbox.ts'
import { loadSecrets } from '../../src/secrets.ts'
import { type EngineKind, testDatabase } from './database.ts'

export const adminKey = 'cgw_test_admin_key_of_at_least_32_characters'

export type Answer = {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at answers of every shape
  body: any
}

type Call = {
  key?: string | null
  idempotencyKey?: string
  body?: unknown
  headers?: Record<string, string>
}

export type Service = Awaited<ReturnType<typeof openService>>

type Options = {
  engine?: EngineKind
  /** One that runs already, options for one of its own, or none at all. */
  sandbox?: Sandbox | SandboxOptions | null
  /** Whether Calendly's webhooks are to arrive. */
  webhooks?: boolean
  env?: Record<string, string>
  system?: System
  /** Arranges in the database what no request can, before the service opens it. */
  prepare?: (db: Kysely<Tables>) => Promise<void>
  logger?: FastifyServerOptions['logger']
  /** Of the names of event endpoints, in place of DNS. */
  lookup?: (host: string) => Promise<readonly string[]>
}

/** The whole service on loopback, with a database and a sandbox of its own; closed when the test ends. */
export async function openService(t: Test, options: Options = {}) {
  const { engine = 'embedded', env = {}, system = realSystem, webhooks = false, logger = false } = options
  const database = await testDatabase(t, engine)
  const { dataDir, url } = database
  if (options.prepare) {
    const { db, close } = await openEngine(database)
    await options.prepare(db).finally(close)
  }
  const given = options.sandbox
  const isOpen = given !== null && given !== undefined && 'url' in given
  const sandbox = given === null ? undefined : isOpen ? (given as Sandbox) : await openSandbox(given ?? {})
  const port = webhooks ? await freePort() : 0
  const config = loadConfig({
    DATA_DIR: dataDir,
    ADMIN_API_KEY: adminKey,
    RATE_LIMIT_PER_MINUTE: '0',
    RATE_LIMIT_PER_ADDRESS: '0',
    SWEEP_INTERVAL_SECONDS: '0.1',
    CALENDLY_BOOKING_LIMITS: 'none',
    ...(url !== undefined && { DATABASE_URL: url }),
    ...(sandbox && {
      CALENDLY_API_BASE_URL: sandbox.url,
      CALENDLY_API_TOKEN: sandbox.token,
      CALENDLY_WEBHOOK_SIGNING_KEY: sandbox.signingKey
    }),
    ...(webhooks && { PUBLIC_URL: `http://127.0.0.1:${port}`, SUBSCRIPTION_CHECK_SECONDS: '1' }),
    ...env
  })
  const app = await buildApp({ config, secrets: loadSecrets(config), system, logger, lookup: options.lookup })
  t.teardown(async () => {
    await app.close()
    if (!isOpen) await sandbox?.close()
  })
  const address = await app.listen({ host: '127.0.0.1', port })

  /** Asks as an HTTP client would. `key: null` sends none; a string body is sent as it is. */
  async function call(method: string, path: string, { key = adminKey, ...rest }: Call = {}): Promise<Answer> {
    const { idempotencyKey, body, headers } = rest
    const answer = await request(`${address}${path}`, {
      method: method as 'GET',
      headers: {
        ...(key !== null && { authorization: `Bearer ${key}` }),
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body !== undefined && {
        body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
      })
    })
    const text = await answer.body.text()
    const isJson = /json/.test(String(answer.headers['content-type']))
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text,
      body: isJson && text !== '' ? JSON.parse(text) : undefined
    }
  }

  /** The sandbox's control API. */
  async function control(method: string, path: string, body?: unknown): Promise<Answer['body']> {
    const answer = await request(`${sandbox?.url}/__sandbox${path}`, {
      method: method as 'GET',
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body)
      })
    })
    const text = await answer.body.text()
    if (answer.statusCode >= 400) throw new Error(`${path}: ${answer.statusCode} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  return { app, address, sandbox, config, system, database, call, control }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

/** Asks until the answer satisfies; the test's own time-out is the only limit. */
export async function until<T>(ask: () => Promise<T>, isDone: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (isDone(answer)) return answer
    await realSystem.sleep(20)
  }
}
