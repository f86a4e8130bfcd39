import { inDatabase } from '../support/database.ts'
import { openBalancer } from './support/balancer.ts'
import type { Experiment } from './support/experiment.ts'
import { assertNoneLost, assertOnceEach, assertWhole, calendlyView } from './support/intake.ts'
import { createPeople } from './support/people.ts'
import { openPostgresqlServer } from './support/postgresql-server.ts'
import { inMemoryInbox, untilSubscribed, untilWorkedOff } from './support/webhooks.ts'

const webhooksAtOnce = 25
const longestLifeMs = 300
const longestAwayMs = 500

/** PostgreSQL itself is killed and started again, with what is under way in it, while webhooks flow to two replicas. */
export const databaseKill: Experiment = {
  engines: ['postgresql'],
  sabotages: [inMemoryInbox],

  async run(stage, { isBounded }) {
    const { kills, roundsPerKill } = isBounded
      ? { kills: 3, roundsPerKill: 3 }
      : { kills: 10, roundsPerKill: 20 }
    const postgresql = await openPostgresqlServer(stage)
    await postgresql.start()
    const balancer = await openBalancer(stage)
    const replicas = await stage.startReplicas({
      env: { PUBLIC_URL: balancer.url, DATABASE_URL: postgresql.url }
    })
    balancer.serve(replicas)
    await untilSubscribed(stage)
    const people = createPeople(stage)
    for (let kill = 0; kill < kills; kill++) {
      const struck = Math.floor(stage.random() * roundsPerKill)
      for (let round = 0; round < roundsPerKill; round++) {
        await people.act(webhooksAtOnce)
        await stage.pause(longestLifeMs)
        if (round !== struck) continue
        await postgresql.kill()
        await people.act(webhooksAtOnce)
        await stage.pause(longestAwayMs)
        await postgresql.start()
        stage.assertAlive()
      }
    }
    for (const replica of replicas) await untilWorkedOff(stage, replica)

    const view = await calendlyView(stage)
    await assertWhole(stage, replicas[0])
    for (const replica of replicas) await replica.kill()
    await inDatabase({ ...stage.database, url: postgresql.url }, async (db) => {
      await assertNoneLost(db, view)
      await assertOnceEach(db, view)
    })
    return `${view.sent} webhooks, PostgreSQL killed ${kills} times`
  }
}
