import { AssertionError } from 'node:assert'
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { type EngineKind, engines as testedEngines } from '../support/database.ts'
import { experiments } from './experiments.ts'
import { createChance } from './support/chance.ts'
import type { Experiment } from './support/experiment.ts'
import { copySource } from './support/source.ts'
import { openStage } from './support/stage.ts'

const { values: options } = parseArgs({
  options: {
    /** Smaller numbers wherever none is promised. */
    bounded: { type: 'boolean', default: false },
    /** Runs a service that lacks what each experiment is about, and passes where that is noticed. */
    prove: { type: 'boolean', default: false },
    only: { type: 'string' },
    engine: { type: 'string' },
    seed: { type: 'string', default: String(randomInt(1_000_000)) }
  }
})
const { bounded: isBounded, prove, only, engine: wanted, seed } = options

// Experiments share nothing, and much of their time they wait for a lease to end.
const sideBySide = 3

type Run = { name: string; experiment: Experiment; engine: EngineKind }
const known: readonly EngineKind[] = ['embedded', 'postgresql']
const asked: Run[] = Object.entries(experiments)
  .filter(([name]) => only === undefined || name === only)
  .flatMap(([name, experiment]) => experiment.engines.map((engine) => ({ name, experiment, engine })))
  .filter(({ engine }) => wanted === undefined || engine === wanted)
if (asked.length === 0) {
  throw new Error(`--only takes ${Object.keys(experiments).join(', ')}; --engine takes ${known.join(', ')}`)
}
const runs = asked.filter(({ engine }) => testedEngines.includes(engine))

console.log(`Seed ${seed}; the same again with --seed ${seed}`)
const open = new Set<() => Promise<void>>()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void abandon())

const waiting = [...runs]
const verdicts = await Promise.all(Array.from({ length: sideBySide }, runWaiting))
const passed = verdicts.flat().filter(Boolean).length
const leftOut = asked.filter((run) => !runs.includes(run))
if (leftOut.length > 0) {
  const titles = leftOut.map(titleOf).join(', ')
  console.log(`LEFT OUT, because TEST_DATABASE_URL names no PostgreSQL: ${titles}`)
}
console.log(`${passed} passed, ${runs.length - passed} failed`)
process.exit(passed === runs.length ? 0 : 1)

/** Leaves no process, database or folder behind. */
async function abandon(): Promise<never> {
  await Promise.allSettled(Array.from(open, (close) => close()))
  process.exit(1)
}

async function runWaiting(): Promise<boolean[]> {
  const found: boolean[] = []
  for (let run = waiting.shift(); run; run = waiting.shift()) found.push(await runOne(run))
  return found
}

async function runOne(run: Run): Promise<boolean> {
  const startedAt = Date.now()
  const outcome = await tryOne(run)
  const { isPassed, words } = prove ? judgeProof(outcome) : outcome
  const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1)
  console.log(`${isPassed ? 'passed' : 'FAILED'}  ${titleOf(run)}: ${words}, ${seconds} s`)
  return isPassed
}

type Outcome = { isPassed: boolean; words: string; error?: unknown }

async function tryOne({ name, experiment, engine }: Run): Promise<Outcome> {
  const { root, remove } = await copySource(prove ? experiment.sabotages : [])
  const stage = await openStage({ engine, random: createChance(`${seed} ${name} ${engine}`), root })
  const close = async () => {
    open.delete(close)
    await stage.close()
    await remove()
  }
  open.add(close)
  try {
    const words = await experiment.run(stage, { isBounded })
    stage.assertAlive()
    return { isPassed: true, words }
  } catch (error) {
    return { isPassed: false, words: error instanceof Error ? String(error.stack) : String(error), error }
  } finally {
    await close()
  }
}

/** Only an experiment that fails without the mechanism, and by its own judgement, means something. */
function judgeProof({ isPassed, words, error }: Outcome): Outcome {
  if (isPassed) return { isPassed: false, words: 'does not notice that its mechanism is missing' }
  if (!(error instanceof AssertionError)) return { isPassed: false, words }
  return { isPassed: true, words: `noticed: ${error.message.split('\n', 1)[0]?.slice(0, 100)}` }
}

function titleOf({ name, engine }: Run): string {
  return `${name} (${engine})`
}
