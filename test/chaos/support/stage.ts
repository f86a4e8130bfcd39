import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { openSandbox } from '../../../src/sandbox/sandbox.ts'
import { type EngineKind, inDatabase, testDatabase } from '../../support/database.ts'
import type { Answer } from '../../support/service.ts'
import { createService, type Replicas, type Service } from './service.ts'

const adminKey = 'cgw_chaos_admin_key_of_at_least_32_characters'
/** How long anything may take that is promised to happen in the end. */
export const patienceMs = 120_000
/** Of the callers to a replica; what exceeds them queues. */
export const connectionsEach = 256

// Limits off and schedules hurried; the leases of 30 s are not to be tuned.
const hurried = {
  APP_ENV: 'development',
  LOG_LEVEL: 'error',
  ADMIN_API_KEY: adminKey,
  ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
  RATE_LIMIT_PER_MINUTE: '0',
  RATE_LIMIT_PER_ADDRESS: '0',
  MAX_IN_FLIGHT: '10000',
  CALENDLY_BOOKING_LIMITS: 'none',
  BOOKING_LOOKUP_SECONDS: '0.5,1',
  BOOKING_ABSENCE_SECONDS: '2',
  SWEEP_INTERVAL_SECONDS: '0.2'
}

type Options = { engine: EngineKind; random: () => number; root: string }

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
type Call = { method?: Method; key?: string; idempotencyKey?: string | undefined; body?: unknown }

type StartOptions = { webhooks?: boolean; env?: Record<string, string> }

export type Stage = Awaited<ReturnType<typeof openStage>>

/** What one experiment needs: a database and a sandbox of its own, replicas, and somebody who calls them. */
export async function openStage({ engine, random, root }: Options) {
  const teardowns: (() => Promise<void> | void)[] = []
  const teardown = (work: () => Promise<void> | void) => teardowns.unshift(work)
  const database = await testDatabase({ teardown }, engine, { isOnDisk: true })
  const { dataDir, url: databaseUrl } = database
  const lookedInto = { ...database, migrations: join(root, 'src/database/migrations') }
  const sandbox = await openSandbox({ random, retryDelayMs: () => 200 })
  const agent = new Agent({ connections: connectionsEach })
  const services: Service[] = []

  async function ask(url: string, call: Call = {}): Promise<Answer> {
    const { method = 'GET', key = adminKey, idempotencyKey, body } = call
    const answer = await request(url, {
      method,
      dispatcher: agent,
      headers: {
        authorization: `Bearer ${key}`,
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        ...(body !== undefined && { 'content-type': 'application/json' })
      },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    const text = await answer.body.text()
    const { statusCode: status, headers } = answer
    return { status, headers, text, body: text === '' ? undefined : JSON.parse(text) }
  }

  /** A replica that is ready, with variables of its own. With `webhooks`, Calendly is told its address. */
  async function start({ webhooks = false, env = {} }: StartOptions = {}): Promise<Service> {
    const port = await freePort()
    const whole = {
      ...hurried,
      DATA_DIR: dataDir,
      ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
      CALENDLY_API_BASE_URL: sandbox.url,
      CALENDLY_API_TOKEN: sandbox.token,
      CALENDLY_WEBHOOK_SIGNING_KEY: sandbox.signingKey,
      ...(webhooks && { PUBLIC_URL: `http://127.0.0.1:${port}` }),
      ...env
    }
    const service = createService({ root, port, env: whole })
    services.push(service)
    await service.start()
    return service
  }

  return {
    engine,
    random,
    ask,
    databaseUrl,
    /** For `env`: connects a replica to Stripe's stand-in. */
    stripe: { STRIPE_API_BASE_URL: sandbox.url, STRIPE_SECRET_KEY: sandbox.stripeKeys.restricted ?? '' },
    /** For `inDatabase`. */
    database: lookedInto,
    start,

    /** At the end, the last one first. */
    teardown,

    /** As many as the engine allows. */
    startReplicas: async (options?: StartOptions): Promise<Replicas> =>
      engine === 'embedded' ? [await start(options)] : [await start(options), await start(options)],

    /** The sandbox's control API. */
    async control(method: Method, path: string, body?: unknown): Promise<Answer['body']> {
      const answer = await ask(`${sandbox.url}/__sandbox${path}`, { method, body })
      if (answer.status >= 400) throw new Error(`${path}: ${answer.status} ${answer.text}`)
      return answer.body
    },

    /** As the service left it. The embedded one is for one process: the service must have been killed. */
    lookIntoDatabase: <T>(look: Parameters<typeof inDatabase<T>>[1]): Promise<T> =>
      inDatabase(lookedInto, look),

    /** Waits up to `longestMs`, how long being a matter of chance. */
    pause: (longestMs: number) => sleep(random() * longestMs),

    /** Asks until the answer satisfies; what does not come in time fails the experiment. */
    async until<T>(
      what: string,
      find: () => Promise<T>,
      isDone: (found: T) => boolean,
      withinMs = patienceMs
    ): Promise<T> {
      const latest = Date.now() + withinMs
      for (;;) {
        for (const service of services) service.assertAlive()
        const found = await find()
        if (isDone(found)) return found
        if (Date.now() > latest)
          assert.fail(`still not so: ${what}; last: ${JSON.stringify(found)?.slice(0, 500)}`)
        await sleep(50)
      }
    },

    /** Replicas that ended by themselves fail the experiment. */
    assertAlive() {
      for (const service of services) service.assertAlive()
    },

    async close(): Promise<void> {
      await Promise.all(services.map(({ kill }) => kill().catch(() => {})))
      await agent.destroy()
      await sandbox.close()
      for (const teardown of teardowns) await teardown()
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
