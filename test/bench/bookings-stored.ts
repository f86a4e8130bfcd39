import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { request } from 'undici'
import { standard } from '../../src/sandbox/standard.ts'
import { engines, inDatabase, type Test, testDatabase } from '../support/database.ts'
import { adminKey } from '../support/service.ts'
import { type Benchmark, figureOf, withTeardown } from './support/benchmark.ts'
import { answerTimes, quantile } from './support/callers.ts'
import type { Program } from './support/program.ts'
import { dayMs, startSandbox, startService } from './support/service.ts'
import { storeBookings } from './support/stored-bookings.ts'

const mostRatio = 1.5
const few = 1_000
const eventType = standard.eventTypes.thirtyMinutes

/** Two services, one with few bookings in its database and one with very many, asked the same in turns. On PostgreSQL. */
export const bookingsStored: Benchmark = async ({ isBounded, report }) => {
  if (!engines.includes('postgresql')) return
  const sizes = isBounded
    ? { many: 100_000, rounds: 5, asks: 100 }
    : { many: 1_000_000, rounds: 15, asks: 200 }
  await withTeardown(async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'bench-'))
    t.teardown(() => rm(directory, { recursive: true }))
    const services = { few: await start(t, directory, few), many: await start(t, directory, sizes.many) }
    for (const [title, asked] of Object.entries(asks())) {
      const rounds = []
      const measure = async ({ port }: Program) => {
        const requests = Array.from({ length: sizes.asks }, (_, n) => asked(n))
        return quantile(await answerTimes({ port, atOnce: 1, status: 200, requests }), 0.5)
      }
      for (const service of Object.values(services)) await measure(service)
      for (let round = 0; round < sizes.rounds; round++) {
        rounds.push({ few: await measure(services.few), many: await measure(services.many) })
      }
      const ratios = rounds.map(({ few, many }) => many / few)
      const ratio = isBounded ? Math.min(...ratios) : figureOf(ratios, { isBounded })
      const middle = (figures: number[]) => figureOf(figures, { isBounded: false }).toFixed(2)
      report({
        title,
        isPassed: ratio <= mostRatio,
        words:
          `${ratio.toFixed(2)} times as long with ${sizes.many} bookings as with ${few} (at most ${mostRatio}): ` +
          `${middle(rounds.map(({ many }) => many))} against ${middle(rounds.map(({ few }) => few))} ms, ` +
          `${isBounded ? 'best' : 'median'} of ${sizes.rounds} rounds of ${sizes.asks} answers`
      })
    }
  })
}

/** With buffers and a daily maximum, so that everything that can be asked of the database is. */
async function start(t: Test, directory: string, bookings: number): Promise<Program> {
  const database = await testDatabase(t, 'postgresql')
  await inDatabase(database, async (db) => {
    await storeBookings(db, { bookings, eventType, host: standard.users.ada })
    await sql`vacuum analyze`.execute(db)
  })
  const sandbox = await startSandbox(t, directory)
  const service = await startService(t, { directory, sandbox, database })
  const id = eventType.slice(eventType.lastIndexOf('/') + 1)
  const { statusCode, body } = await request(
    `http://127.0.0.1:${service.port}/api/v1/event-types/${id}/settings`,
    {
      method: 'PUT',
      headers: { ...authorized, 'content-type': 'application/json' },
      body: JSON.stringify({ buffer_after_minutes: 15, max_per_day: 12 })
    }
  )
  if (statusCode !== 200) throw new Error(await body.text())
  return service
}

const authorized = { authorization: `Bearer ${adminKey}` }

function asks() {
  const tomorrow = Math.ceil(Date.now() / dayMs) * dayMs
  const query = new URLSearchParams({
    event_type: eventType,
    start_time: new Date(tomorrow).toISOString(),
    end_time: new Date(tomorrow + 30 * dayMs).toISOString(),
    timezone: 'Europe/Berlin'
  })
  const halfHours = (n: number) => tomorrow + (1 + (n % 20)) * dayMs + (9 + (n % 6)) * 3_600_000
  return {
    'conflict check': (n: number) => ({
      method: 'POST' as const,
      path: '/api/v1/conflicts/check',
      headers: { ...authorized, 'content-type': 'application/json' },
      body: JSON.stringify({ event_type: eventType, start_time: new Date(halfHours(n)).toISOString() })
    }),
    availability: () => ({
      method: 'GET' as const,
      path: `/api/v1/availability?${query}`,
      headers: authorized
    })
  }
}
