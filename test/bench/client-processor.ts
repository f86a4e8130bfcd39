import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Benchmark, figureOf, withTeardown } from './support/benchmark.ts'

const programs = join(import.meta.dirname, 'programs')
const others = ['fetch', 'node-calendly']
const leastRatio = 2

/** Reads of who the user is, uncached, each client in a process of its own and Calendly's stand-in in another. */
export const processorTime: Benchmark = ({ isBounded, report }) =>
  withTeardown(async (t) => {
    const sizes = isBounded
      ? { rounds: 3, warmUp: 10_000, reads: 10_000 }
      : { rounds: 5, warmUp: 20_000, reads: 30_000 }
    const calendly = fork(join(programs, 'calendly.ts'))
    t.teardown(() => void calendly.kill('SIGKILL'))
    const url = String(await said(calendly))

    async function readsPerCpuSecond(kind: string): Promise<number> {
      const reader = fork(join(programs, 'reader.ts'), [kind, url, String(sizes.warmUp), String(sizes.reads)])
      return (sizes.reads / Number(await said(reader))) * 1_000
    }

    const clients = ['gateway', ...others] as const
    const rounds: Map<string, number>[] = []
    for (let round = 0; round < sizes.rounds; round++) {
      const figures = new Map<string, number>()
      for (const kind of clients) figures.set(kind, await readsPerCpuSecond(kind))
      rounds.push(figures)
    }
    const middle = (kind: string) =>
      Math.round(
        figureOf(
          rounds.map((figures) => figures.get(kind) ?? 0),
          { isBounded: false }
        )
      )
    for (const other of others) {
      const ratios = rounds.map((figures) => (figures.get('gateway') ?? 0) / (figures.get(other) ?? 0))
      const ratio = figureOf(ratios, { isBounded })
      report({
        title: `processor time against ${other}`,
        isPassed: ratio >= leastRatio,
        words:
          `${ratio.toFixed(2)} times the reads (at least ${leastRatio}); ${middle('gateway')} against ` +
          `${middle(other)} a second of processor, ${isBounded ? 'best' : 'median'} of ${sizes.rounds} rounds`
      })
    }
  })

async function said(child: ChildProcess): Promise<unknown> {
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`${child.spawnargs.join(' ')}: ${code}`)))
  ])
  return message
}
