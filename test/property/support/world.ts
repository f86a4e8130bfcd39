import { once } from 'node:events'
import { cpSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { request } from 'undici'
import { buildApp } from '../../../src/app.ts'
import { loadConfig } from '../../../src/config.ts'
import { realSystem } from '../../../src/core/system.ts'
import type { Tables } from '../../../src/database/tables.ts'
import { openSandbox } from '../../../src/sandbox/sandbox.ts'
import type { SeedInput } from '../../../src/sandbox/seed.ts'
import { loadSecrets } from '../../../src/secrets.ts'
import { inDatabase, type Test, testDatabase } from '../../support/database.ts'
import { expireHold } from '../../support/holds.ts'
import { openProxy } from '../../support/proxy.ts'
import { type Answer, adminKey } from '../../support/service.ts'

type Call = { idempotencyKey?: string | undefined; body?: unknown }

/** A service that can die, the Calendly it speaks to, and somebody who calls both. */
export type World = {
  ask: (method: string, path: string, call?: Call) => Promise<Answer>
  /** The sandbox's control API. Throws for what it refuses. */
  control: (method: string, path: string, body?: unknown) => Promise<Answer['body']>
  /** Dies at once and starts on what it left behind, when all leases and those holds are over. */
  crash: (expired: readonly string[]) => Promise<void>
}

/** For schedules that are not to be waited for. */
export const hurried = {
  BOOKING_LOOKUP_SECONDS: '0.05,0.1',
  BOOKING_ABSENCE_SECONDS: '0.2',
  SWEEP_INTERVAL_SECONDS: '0.1'
}

/** Time has passed: whoever worked on something has lost it. */
export async function passTime(db: Kysely<Tables>, expired: readonly string[]): Promise<void> {
  await sql`update bookings set resolve_at = now() where resolve_at is not null`.execute(db)
  await sql`update idempotency_keys set lease_until = now() where status is null`.execute(db)
  await sql`update leases set expires_at = now()`.execute(db)
  for (const id of expired) await expireHold(db, id)
}

/**
 * In this process, on the embedded engine. To die is to be cut off from Calendly and from every caller, while another
 * goes on with a copy of the files as they were at that moment: no line of the engine runs while they are copied.
 */
export async function openWorld(t: Test, seed: SeedInput): Promise<World> {
  const sandbox = await openSandbox({ seed, retryDelayMs: () => 100 })
  const door = await openDoor()
  const parting: Promise<unknown>[] = []
  const copies: string[] = []
  let live = await start((await testDatabase(t)).dataDir)
  t.teardown(async () => {
    door.close()
    await Promise.all([...parting, live.close()])
    await sandbox.close()
    await Promise.all(copies.map((copy) => rm(copy, { recursive: true })))
  })

  async function start(dataDir: string) {
    const undos: (() => Promise<void> | void)[] = []
    const way = await openProxy({ teardown: (undo) => undos.push(undo) }, sandbox.url)
    const config = loadConfig({
      DATA_DIR: dataDir,
      ADMIN_API_KEY: adminKey,
      ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
      RATE_LIMIT_PER_MINUTE: '0',
      RATE_LIMIT_PER_ADDRESS: '0',
      CALENDLY_BOOKING_LIMITS: 'none',
      CALENDLY_API_BASE_URL: way.url,
      CALENDLY_API_TOKEN: sandbox.token,
      CALENDLY_WEBHOOK_SIGNING_KEY: sandbox.signingKey,
      PUBLIC_URL: door.address,
      SUBSCRIPTION_CHECK_SECONDS: '1',
      ...hurried
    })
    const app = await buildApp({ config, secrets: loadSecrets(config), system: realSystem, logger: false })
    await app.listen({ host: '127.0.0.1', port: 0 })
    door.leadTo((app.server.address() as AddressInfo).port)
    return {
      way,
      dataDir,
      close: async () => {
        await app.close()
        for (const undo of undos) await undo()
      }
    }
  }

  return {
    ask: async (method, path, { idempotencyKey, body } = {}) => {
      const answer = await request(door.address + path, {
        method: method as 'GET',
        headers: {
          authorization: `Bearer ${adminKey}`,
          ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
          ...(body !== undefined && { 'content-type': 'application/json' })
        },
        ...(body !== undefined && { body: JSON.stringify(body) })
      })
      const text = await answer.body.text()
      const { statusCode: status, headers } = answer
      return { status, headers, text, body: text === '' ? undefined : JSON.parse(text) }
    },

    async control(method, path, body) {
      const answer = await request(`${sandbox.url}/__sandbox${path}`, {
        method: method as 'GET',
        ...(body !== undefined && {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body)
        })
      })
      const text = await answer.body.text()
      if (answer.statusCode >= 400) throw new Error(`${path}: ${answer.statusCode} ${text}`)
      return text === '' ? undefined : JSON.parse(text)
    },

    async crash(expired) {
      const dataDir = await mkdtemp(join(tmpdir(), 'calendly-gateway-'))
      copies.push(dataDir)
      const { close, way } = live
      door.shut()
      way.cut()
      cpSync(live.dataDir, dataDir, { recursive: true })
      parting.push(close())
      await inDatabase({ dataDir, system: realSystem, log: { warn: () => {}, fatal: () => {} } }, (db) =>
        passTime(db, expired)
      )
      live = await start(dataDir)
    }
  }
}

/** One address for all that come after one another. */
async function openDoor() {
  const sockets = new Set<Socket>()
  let port: number | undefined
  const server = createServer((near) => {
    if (port === undefined) return near.destroy()
    const far = connect(port, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far).pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const shut = () => {
    port = undefined
    for (const socket of sockets) socket.destroy()
  }
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    leadTo: (next: number) => {
      port = next
    },
    shut,
    close: () => {
      shut()
      server.close()
    }
  }
}
