import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { openSandbox } from '../../src/sandbox/sandbox.ts'
import { standard } from '../../src/sandbox/standard.ts'
import { type EngineKind, engines, type Test, testDatabase } from '../support/database.ts'
import { adminKey } from '../support/service.ts'
import { environment } from '../support/started.ts'
import { type Benchmark, figureOf, withTeardown } from './support/benchmark.ts'
import { answersPerSecond } from './support/load.ts'
import { type Program, startProgram } from './support/program.ts'

const dayMs = 86_400_000
const connections = 50
const leastRatio = 0.6

/** The service, warm, with everything on, against a bare Fastify that sends the same bytes and logs the same line. */
export const availability: Benchmark = async ({ isBounded, report }) => {
  const sizes = isBounded ? { rounds: 5, ms: 1_000 } : { rounds: 15, ms: 2_000 }
  for (const engine of engines) {
    await withTeardown(async (t) => {
      const { service, bare, path, bytes } = await start(t, engine)
      const measure = async (program: Program, ms: number) => {
        const cpuMs = program.cpuMs()
        const http = `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${adminKey}\r\n\r\n`
        const load = await answersPerSecond({ port: program.port, request: http, connections, ms })
        return { ...load, cpuUs: ((program.cpuMs() - cpuMs) * 1_000) / load.answers }
      }
      for (const program of [service, bare]) await measure(program, 4_000)

      const rounds = []
      for (let round = 0; round < sizes.rounds; round++) {
        rounds.push({ bare: await measure(bare, sizes.ms), service: await measure(service, sizes.ms) })
      }
      const middle = (figures: number[]) => Math.round(figureOf(figures, { isBounded: false }))
      const ratio = figureOf(
        rounds.map(({ bare, service }) => service.perSecond / bare.perSecond),
        { isBounded }
      )
      report({
        title: engine,
        isPassed: ratio >= leastRatio,
        words:
          `${ratio.toFixed(2)} of a bare Fastify (at least ${leastRatio}); ` +
          `${middle(rounds.map(({ service }) => service.perSecond))} against ` +
          `${middle(rounds.map(({ bare }) => bare.perSecond))} answers of ${bytes} bytes a second, ` +
          `${middle(rounds.map(({ service }) => service.cpuUs))} against ` +
          `${middle(rounds.map(({ bare }) => bare.cpuUs))} µs of processor each, ` +
          `${connections} connections, ${isBounded ? 'best' : 'median'} of ${sizes.rounds} rounds`
      })
    })
  }
}

async function start(t: Test, engine: EngineKind) {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const sandbox = await openSandbox()
  t.teardown(() => sandbox.close())
  const { dataDir, url } = await testDatabase(t, engine, { isOnDisk: true })

  const service = await startProgram(t, {
    script: join(import.meta.dirname, '../../src/server.ts'),
    log: join(directory, 'service.log'),
    env: environment(sandbox, {
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: dataDir,
      ...(url !== undefined && { DATABASE_URL: url }),
      // On, and out of reach.
      RATE_LIMIT_PER_MINUTE: '1000000',
      RATE_LIMIT_PER_ADDRESS: '1000000',
      // As it comes; tests are in a hurry.
      SWEEP_INTERVAL_SECONDS: '10'
    })
  })
  const from = Math.ceil(Date.now() / dayMs) * dayMs
  const path = `/api/v1/availability?${new URLSearchParams({
    event_type: standard.eventTypes.thirtyMinutes,
    start_time: new Date(from).toISOString(),
    end_time: new Date(from + 60 * dayMs).toISOString(),
    timezone: 'Europe/Berlin'
  })}`
  const answer = await request(`http://127.0.0.1:${service.port}${path}`, {
    headers: { authorization: `Bearer ${adminKey}` }
  })
  const bytes = Buffer.from(await answer.body.arrayBuffer())
  if (answer.statusCode !== 200) throw new Error(bytes.toString())
  const file = join(directory, 'answer.json')
  await writeFile(file, bytes)
  const bare = await startProgram(t, {
    script: join(import.meta.dirname, 'programs/bare.ts'),
    log: join(directory, 'bare.log'),
    args: [file]
  })
  return { service, bare, path, bytes: bytes.length }
}
