import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { standardSeed } from '../../src/sandbox/standard.ts'
import { engines, inDatabase, type Test, testDatabase } from '../support/database.ts'
import { type Benchmark, figureOf, withTeardown } from './support/benchmark.ts'
import { quantile } from './support/callers.ts'
import { acknowledgementTimes, timeToKeep, webhookRequests } from './support/intake-load.ts'
import { type Program, startProgram } from './support/program.ts'
import { startSandbox, startService } from './support/service.ts'

const leastRatio = 1.3
const atOnce = 64
const { signing_key: key } = standardSeed

/** Durable webhooks a second, of the service as it comes and of the least that keeps them, on PostgreSQL. */
export const webhooks: Benchmark = async ({ isBounded, report }) => {
  if (!engines.includes('postgresql')) return
  const sizes = isBounded
    ? { rounds: 3, deliveries: 6_000, seconds: 2 }
    : { rounds: 11, deliveries: 15_000, seconds: 10 }
  await withTeardown(async (t) => {
    const programs = await start(t)
    const measure = (program: Program, deliveries: number) =>
      alone(programs, program, async () => {
        const requests = webhookRequests(deliveries, key)
        const cpuMs = program.cpuMs()
        const ms = await timeToKeep({ port: program.port, atOnce, requests })
        return {
          perSecond: (deliveries / ms) * 1_000,
          cpuUs: ((program.cpuMs() - cpuMs) * 1_000) / deliveries
        }
      })
    for (const program of Object.values(programs)) await measure(program, 6_000)

    const rounds: Record<keyof typeof programs, Awaited<ReturnType<typeof measure>>>[] = []
    for (let round = 0; round < sizes.rounds; round++) {
      const bare = await measure(programs.bare, sizes.deliveries)
      rounds.push({ bare, service: await measure(programs.service, sizes.deliveries) })
    }
    const ratio = figureOf(
      rounds.map(({ bare, service }) => service.perSecond / bare.perSecond),
      { isBounded }
    )
    const middle = (of: keyof typeof programs, figure: 'perSecond' | 'cpuUs') =>
      Math.round(
        figureOf(
          rounds.map((round) => round[of][figure]),
          { isBounded: false }
        )
      )
    report({
      title: 'durable deliveries a second',
      isPassed: ratio >= leastRatio,
      words:
        `${ratio.toFixed(2)} of a bare Fastify that inserts each by itself (at least ${leastRatio}); ` +
        `${middle('service', 'perSecond')} against ${middle('bare', 'perSecond')} a second, ` +
        `${middle('service', 'cpuUs')} against ${middle('bare', 'cpuUs')} µs of processor each, ` +
        `${atOnce} connections, ${isBounded ? 'best' : 'median'} of ${sizes.rounds} rounds of ${sizes.deliveries}`
    })

    const atHalf = async (of: keyof typeof programs) => {
      const perSecond = middle(of, 'perSecond') / 2
      const requests = webhookRequests(Math.round(perSecond * (sizes.seconds + 1)), key)
      const { port } = programs[of]
      return alone(programs, programs[of], () => acknowledgementTimes({ port, requests, perSecond }))
    }
    const [bare, service] = [quantile(await atHalf('bare'), 0.99), quantile(await atHalf('service'), 0.99)]
    report({
      title: 'p99 at half of that load',
      isPassed: true,
      words:
        `${(service / bare).toFixed(2)} times the bare one's: ${service.toFixed(1)} against ${bare.toFixed(1)} ms, ` +
        'each at half of what it can keep'
    })
  })
}

/** While the other program stands still: the service goes on to apply what it has kept. */
async function alone<T>(
  programs: Readonly<Record<string, Program>>,
  program: Program,
  work: () => Promise<T>
): Promise<T> {
  const others = Object.values(programs).filter((other) => other !== program)
  for (const other of others) other.signal('SIGSTOP')
  return work().finally(() => {
    for (const other of others) other.signal('SIGCONT')
  })
}

async function start(t: Test) {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const sandbox = await startSandbox(t, directory)
  const service = await startService(t, { directory, sandbox, database: await testDatabase(t, 'postgresql') })
  // The same table with the same indexes.
  const database = await testDatabase(t, 'postgresql')
  await inDatabase(database, async () => {})
  const bare = await startProgram(t, {
    script: join(import.meta.dirname, 'programs/bare-intake.ts'),
    log: join(directory, 'bare.log'),
    env: { DATABASE_URL: database.url ?? '', SIGNING_KEY: key }
  })
  return { service, bare }
}
