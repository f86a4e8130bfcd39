import { modelSeed, runModel } from '../property/support/run.ts'
import { hurried, passTime, type World } from '../property/support/world.ts'
import type { Experiment } from './support/experiment.ts'
import { type Replicas, replicaOf } from './support/service.ts'
import type { Stage } from './support/stage.ts'

/** The random commands of the property test against real processes, which die by `kill -9`. */
export const model: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    {
      file: 'database/migrations/0001_foundation.sql',
      mechanism:
        'constraint claims_exclude exclude using gist (tenant_id with =, host with =, busy with &&, session with <>)',
      without: 'check (true)'
    },
    { file: 'core/conflicts.ts', mechanism: 'if (isLost) throw', without: 'if (false) throw' }
  ],

  async run(stage, { isBounded }) {
    await stage.control('POST', '/reset', { seed: modelSeed })
    const replicas = await stage.startReplicas({ webhooks: true, env: hurried })
    const seed = Math.floor(stage.random() * 1_000_000)
    const scale = isBounded ? { runs: 100, withinMs: 25_000 } : { runs: 100 }
    const { commands, runs } = await runModel(worldOf(stage, replicas), { seed, longest: 40, ...scale })
    return `${commands} commands in ${runs} runs, ${replicas.length} replicas`
  }
}

function worldOf(stage: Stage, replicas: Replicas): World {
  let turn = 0
  return {
    ask: (method, path, call) =>
      stage.ask(replicaOf(replicas, turn++).address + path, { method: method as 'GET', ...call }),
    control: (method, path, body) => stage.control(method as 'GET', path, body),
    async crash(expired) {
      await Promise.all(replicas.map(({ kill }) => kill()))
      await stage.lookIntoDatabase((db) => passTime(db, expired))
      await Promise.all(replicas.map(({ start }) => start()))
    }
  }
}
