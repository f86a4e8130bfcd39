import assert from 'node:assert/strict'
import { standard } from '../../src/sandbox/standard.ts'
import type { Answer } from '../support/service.ts'
import { activeInvitees, freeTimes, postsToCalendly } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'
import { replicaOf } from './support/service.ts'

const callers = 1_000
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
    { file: 'core/slot-conflicts.ts', mechanism: 'if (isLost) throw', without: 'if (false) throw' }
  ],

  async run(stage) {
    const replicas = await stage.startReplicas()
    const [startTime] = await freeTimes(stage, replicas[0], eventType)
    const book = (caller: number) =>
      stage.ask(`${replicaOf(replicas, caller).address}/api/v1/bookings`, {
        method: 'POST',
        idempotencyKey: `caller-${caller}`,
        body: {
          event_type: eventType,
          start_time: startTime,
          invitee: {
            name: 'Grace Example',
            email: `caller-${caller}@example.com`,
            timezone: 'Europe/Berlin'
          },
          location: { kind: 'google_conference' }
        }
      })
    const answers = await Promise.all(Array.from({ length: callers }, (_, caller) => book(caller)))

    assert.deepEqual(tally(answers), { '201 confirmed': 1, '409 slot_unavailable': callers - 1 })
    const losers = answers.filter(({ status }) => status === 409)
    assert(losers.every(({ body }) => body.alternatives.length > 0 && body.conflicts.length > 0))
    assert.equal((await activeInvitees(stage)).length, 1, 'one invitee at Calendly')
    assert.equal(await postsToCalendly(stage), 1, 'losers never reach Calendly')
    return `${callers} callers, ${replicas.length} replicas`
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
