import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { standard } from '../../src/sandbox/standard.ts'
import { type EngineKind, engines, type Test, testDatabase } from '../support/database.ts'
import { adminKey } from '../support/service.ts'
import { type Benchmark, figureOf, withTeardown } from './support/benchmark.ts'
import { answerTimes, quantile } from './support/callers.ts'
import type { Program } from './support/program.ts'
import { dayMs, fiveMinutes, startSandbox, startService } from './support/service.ts'

/** Of Calendly, for each booking. */
const latencyMs = 200
/** Callers at once, how many bookings they make in a round, and at most how many times as long as Calendly alone it takes. */
const loads = [
  { atOnce: 1, bookings: 15, most: { embedded: 1.5, postgresql: 1.5 } },
  // The embedded database writes one transaction through to the disk after the other: latency is promised on PostgreSQL.
  { atOnce: 10, bookings: 150, most: { embedded: 3, postgresql: 2 } },
  { atOnce: 100, bookings: 500, most: { embedded: 20, postgresql: 8 } }
]

/** The same booking made through the service and directly at Calendly, in turns. */
export const bookingsAdded: Benchmark = async ({ isBounded, report }) => {
  const rounds = isBounded ? 2 : 5
  for (const engine of engines) {
    await withTeardown(async (t) => {
      const { service, sandbox, nextStart } = await start(t, engine)
      for (const { atOnce, bookings, most } of loads) {
        const mostRatio = most[engine]
        const starts = () => Array.from({ length: bookings }, nextStart)
        const figures: { direct: number[]; through: number[] }[] = []
        for (let round = 0; round < rounds; round++) {
          figures.push({
            direct: await bookDirectly(sandbox, atOnce, starts()),
            through: await bookThrough(service, atOnce, starts())
          })
        }
        const middle = (of: (figure: { direct: number[]; through: number[] }) => number) =>
          figureOf(figures.map(of), { isBounded: false })
        const ratios = figures.map(({ direct, through }) => quantile(through, 0.5) / quantile(direct, 0.5))
        const ratio = isBounded ? Math.min(...ratios) : figureOf(ratios, { isBounded })
        const added = (share: number) =>
          middle(({ direct, through }) => quantile(through, share) - quantile(direct, share)).toFixed(0)
        report({
          title: `added to Calendly's time by ${atOnce} at once, ${engine}`,
          isPassed: ratio <= mostRatio,
          words:
            `median ${added(0.5)} ms, p99 ${added(0.99)} ms; the median is ${ratio.toFixed(2)} times ` +
            `Calendly's own (at most ${mostRatio}): ` +
            `${middle(({ through }) => quantile(through, 0.5)).toFixed(0)} against ` +
            `${middle(({ direct }) => quantile(direct, 0.5)).toFixed(0)} ms, p99 ` +
            `${middle(({ through }) => quantile(through, 0.99)).toFixed(0)} against ` +
            `${middle(({ direct }) => quantile(direct, 0.99)).toFixed(0)} ms, ` +
            `${isBounded ? 'best' : 'median'} of ${rounds} rounds of ${bookings} bookings`
        })
      }
    })
  }
}

async function start(t: Test, engine: EngineKind) {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const sandbox = await startSandbox(t, directory)
  const database = await testDatabase(t, engine, { isOnDisk: true })
  const service = await startService(t, { directory, sandbox, database })
  const starts = (await startsOf(service)).values()
  const nextStart = () => {
    const { value } = starts.next()
    if (value === undefined) throw new Error('no time is left')
    return value
  }
  // Warm on both sides; only then Calendly takes its time.
  const warmUp = Array.from({ length: 300 }, nextStart)
  await bookDirectly(sandbox, 10, warmUp.slice(0, 100))
  await bookThrough(service, 10, warmUp.slice(100))
  await request(`http://127.0.0.1:${sandbox.port}/__sandbox/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      kind: 'latency',
      latency_ms: latencyMs,
      match: { method: 'POST', path: '/invitees' }
    })
  })
  return { service, sandbox, nextStart }
}

async function startsOf({ port }: Program): Promise<string[]> {
  const from = Date.now() + dayMs
  const query = new URLSearchParams({
    event_type: fiveMinutes,
    start_time: new Date(from).toISOString(),
    end_time: new Date(from + 175 * dayMs).toISOString(),
    timezone: 'UTC'
  })
  const answer = await request(`http://127.0.0.1:${port}/api/v1/availability?${query}`, {
    headers: { authorization: `Bearer ${adminKey}` }
  })
  const { days } = (await answer.body.json()) as { days: { slots: { start_time: string }[] }[] }
  return days.flatMap(({ slots }) => slots.map(({ start_time }) => start_time))
}

const invitation = (startTime: string) => ({
  event_type: fiveMinutes,
  start_time: startTime,
  invitee: { name: 'Grace Example', email: 'grace@example.com', timezone: 'Europe/Berlin' }
})

const bookThrough = ({ port }: Program, atOnce: number, starts: readonly string[]) =>
  answerTimes({
    port,
    atOnce,
    status: 201,
    requests: starts.map((startTime) => ({
      method: 'POST' as const,
      path: '/api/v1/bookings',
      headers: {
        authorization: `Bearer ${adminKey}`,
        'content-type': 'application/json',
        'idempotency-key': startTime
      },
      body: JSON.stringify(invitation(startTime))
    }))
  })

const bookDirectly = ({ port }: Program, atOnce: number, starts: readonly string[]) =>
  answerTimes({
    port,
    atOnce,
    status: 201,
    requests: starts.map((startTime) => ({
      method: 'POST' as const,
      path: '/invitees',
      headers: {
        authorization: `Bearer ${standard.tokens.ada}`,
        'content-type': 'application/json',
        'user-agent': 'bench'
      },
      body: JSON.stringify(invitation(startTime))
    }))
  })
