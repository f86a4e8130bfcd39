import { randomInt } from 'node:crypto'
import t from 'tap'
import { modelSeed, runModel } from './support/run.ts'
import { openWorld } from './support/world.ts'

const { MODEL_SEED = String(randomInt(1_000_000)), MODEL_RUNS, MODEL_PATH } = process.env

t.test('in whatever order, nothing overlaps, is oversold or ends without a word', async (t) => {
  t.comment(`Seed ${MODEL_SEED}; the same again with MODEL_SEED=${MODEL_SEED}, more with MODEL_RUNS=100`)
  const { commands, runs } = await runModel(await openWorld(t, modelSeed), {
    seed: Number(MODEL_SEED),
    longest: 40,
    path: MODEL_PATH,
    ...(MODEL_RUNS === undefined ? { runs: 100, withinMs: 10_000 } : { runs: Number(MODEL_RUNS) })
  })
  t.comment(`${commands} commands in ${runs} runs`)
  t.ok(commands > 0)
})
