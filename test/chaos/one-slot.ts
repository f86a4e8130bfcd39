import assert from 'node:assert/strict'
import { standard } from '../../src/sandbox/standard.ts'
import type { Answer } from '../support/service.ts'
import { activeInvitees, book, freeTimes, postsToCalendly } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'
import { replicaOf } from './support/service.ts'
import { connectionsEach } from './support/stage.ts'

/** The embedded engine is one process on one connection. */
const callersOn = { embedded: 1_000, postgresql: 10_000 }
const eventType = standard.eventTypes.thirtyMinutes

/** Everybody wants the same half hour, at the same moment, each under a key of their own. */
export const oneSlot: Experiment = {
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

  async run(stage) {
    const callers = callersOn[stage.engine]
    const replicas = await stage.startReplicas()
    const [startTime = ''] = await freeTimes(stage, replicas[0], eventType)
    const ask = (caller: number) =>
      book(stage, replicaOf(replicas, caller).address, {
        key: `caller-${caller}`,
        email: `caller-${caller}@example.com`,
        startTime,
        eventType
      })
    const answers = await Promise.all(Array.from({ length: callers }, (_, caller) => ask(caller)))

    assert.deepEqual(tally(answers), { '201 confirmed': 1, '409 slot_unavailable': callers - 1 })
    const losers = answers.filter(({ status }) => status === 409)
    for (const what of ['conflicts', 'alternatives']) {
      const without = losers.filter(({ body }) => body[what].length === 0)
      assert.equal(without.length, 0, `every loser is told ${what}`)
    }
    assert.equal((await activeInvitees(stage)).length, 1, 'one invitee at Calendly')
    assert.equal(await postsToCalendly(stage), 1, 'losers never reach Calendly')
    return `${callers} callers over ${connectionsEach * replicas.length} connections, ${replicas.length} replicas`
  }
}

function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, body } of answers) {
    const kind = `${status} ${body.code ?? body.status}`
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}
