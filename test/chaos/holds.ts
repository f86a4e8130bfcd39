import assert from 'node:assert/strict'
import { standardSeed } from '../../src/sandbox/standard.ts'
import { countPosts } from './support/bookings.ts'
import { churn, overlapping } from './support/churn.ts'
import { assertNoOverlap } from './support/claims.ts'
import { eitherOfTwo, runContests } from './support/contests.ts'
import type { Experiment } from './support/experiment.ts'

/** Everybody holds, books, releases and cancels the same host's time, and wants the last seat, host and place. */
export const holds: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    {
      file: 'database/migrations/0001_foundation.sql',
      mechanism:
        'constraint claims_exclude exclude using gist (tenant_id with =, host with =, busy with &&, session with <>)',
      without: 'check (true)'
    }
  ],

  async run(stage, { isBounded }) {
    const event_types = [...standardSeed.event_types, ...overlapping, eitherOfTwo]
    await stage.control('POST', '/reset', { seed: { ...standardSeed, event_types } })
    const replicas = await stage.startReplicas()
    const posts = await countPosts(stage)
    const had = await churn(stage, replicas, isBounded ? 800 : 10_000)
    const booked = had.booked + had['booked with a hold']
    assert.equal(await posts(), booked, 'losers never reach Calendly')
    const contests = await runContests(stage, replicas, isBounded ? 400 : 1_000)

    for (const replica of replicas) {
      replica.assertSilent()
      await replica.kill()
    }
    await assertNoOverlap(stage)
    const counts = Object.entries(had).map(([what, count]) => `${count} ${what}`)
    return [...counts, ...contests].join(', ')
  }
}
