import { openBalancer } from './support/balancer.ts'
import type { Experiment } from './support/experiment.ts'
import { assertNoneLost, assertOnceEach, assertWhole, calendlyView } from './support/intake.ts'
import { createPeople } from './support/people.ts'
import type { Stage } from './support/stage.ts'
import { inMemoryInbox, untilSubscribed, untilWorkedOff } from './support/webhooks.ts'

const webhooksPerKill = 25
/** About as long as intake and inbox are at the webhooks of one round. */
const longestLifeMs = 150

/** People book and cancel on Calendly's page while the replicas that are told of it die again and again. */
export const webhooksKill: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [inMemoryInbox],

  async run(stage, { isBounded }) {
    const kills = isBounded ? 10 : 200
    const balancer = await openBalancer(stage)
    const replicas = await stage.startReplicas({ env: { PUBLIC_URL: balancer.url } })
    balancer.serve(replicas)
    await untilSubscribed(stage)
    const people = createPeople(stage)
    for (let kill = 0; kill < kills; kill++) {
      await people.act(webhooksPerKill)
      await stage.pause(longestLifeMs)
      const victim = replicas[Math.floor(stage.random() * replicas.length)] ?? replicas[0]
      await victim.kill()
      await victim.start()
    }
    for (const replica of replicas) await untilWorkedOff(stage, replica)
    return judge(stage, replicas, kills)
  }
}

async function judge(
  stage: Stage,
  replicas: Awaited<ReturnType<Stage['startReplicas']>>,
  kills: number
): Promise<string> {
  const view = await calendlyView(stage)
  await assertWhole(stage, replicas[0])
  for (const replica of replicas) await replica.kill()
  await stage.lookIntoDatabase(async (db) => {
    await assertNoneLost(db, view)
    await assertOnceEach(db, view)
  })
  return `${view.sent} webhooks, ${kills} kills of ${replicas.length}`
}
