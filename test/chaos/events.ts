import assert from 'node:assert/strict'
import type { Answer } from '../support/service.ts'
import { type Consumer, failingAtTimes, openConsumer, register } from './support/consumers.ts'
import type { Experiment } from './support/experiment.ts'
import { openFacts } from './support/facts.ts'
import { assertWhole } from './support/intake.ts'
import { assertInOrder, followLog, type LoggedEvent } from './support/log.ts'
import type { Service } from './support/service.ts'
import type { Stage } from './support/stage.ts'

const consumers = 3
const failing = 0.2
const mostTwice = 0.02
const full = { kills: 50, people: 5_000 }
const bounded = { embedded: { kills: 2, people: 240 }, postgresql: { kills: 4, people: 480 } }
/** About as long as the facts of one round are under way. */
const longestLifeMs = 400
/** At the end of ten thousand, on a slow machine. */
const longestWorkMs = 600_000
/** No event may run out of them by chance. */
const retries = `0${',0.3'.repeat(24)}`

/** What happens is told to consumers that often fail, by replicas that die again and again. */
export const events: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    {
      file: 'core/dispatcher.ts',
      mechanism: 'const attempt = { at, ...(await trySend(delivery)) }',
      without: `await outbox.succeed(delivery, { kind: 'delivered', at, durationMs: 0 })
      const attempt = { at, ...(await trySend(delivery)) }`
    }
  ],

  async run(stage, { isBounded }) {
    const { kills, people } = isBounded ? bounded[stage.engine] : full
    const replicas = await stage.startReplicas({ env: { EVENT_RETRY_SECONDS: retries } })
    const told = await Promise.all(
      Array.from({ length: consumers }, () => openConsumer(stage, failingAtTimes(stage, failing)))
    )
    for (const consumer of told) await register(stage, replicas[0], consumer)
    const facts = openFacts(stage, replicas)
    const log = followLog(stage, replicas)
    let booked: number[] = []
    for (let kill = 0; kill < kills; kill++) {
      // Those of the round before, who have long been heard of.
      await facts.cancel(booked)
      booked = await facts.book(people / kills)
      await stage.pause(longestLifeMs)
      const victim = replicas[Math.floor(stage.random() * replicas.length)] ?? replicas[0]
      await victim.kill()
      await victim.start()
    }
    await facts.cancel(booked)

    const facted = 2 * people
    await untilEmpty(stage, replicas[0], 'inbox')
    const logged = await log.end()
    await untilEmpty(stage, replicas[0], 'outbox')
    assert.equal(logged.length, facted, 'every fact is in the log')
    assertInOrder(logged)
    const twice = told.map((consumer) => assertToldOfAll(consumer, logged))
    await assertWhole(stage, replicas[0])
    return `${facted} facts, ${kills} kills of ${replicas.length}; told twice of ${twice.join(', ')}`
  }
}

async function untilEmpty(stage: Stage, { address }: Service, queue: 'inbox' | 'outbox'): Promise<void> {
  const { body } = await stage.until(
    `the ${queue} is empty`,
    () => stage.ask(`${address}/api/health`),
    ({ body }: Answer) => (body.queues[queue]?.waiting ?? body.queues[queue]?.pending) === 0,
    longestWorkMs
  )
  assert.equal(body.queues[queue].dead, 0, 'nothing is given up')
}

/** Of all that is in the log, in the log's bytes. How many came twice. */
function assertToldOfAll({ taken, changed }: Consumer, logged: readonly LoggedEvent[]): number {
  assert.equal(taken.size, logged.length, 'as many events as in the log')
  assert.deepEqual(changed, [], 'the same bytes each time')
  for (const event of logged)
    assert.equal(taken.get(event.id)?.body, JSON.stringify(event), 'the log’s bytes')
  const twice = [...taken.values()].reduce((sum, { at }) => sum + at.length - 1, 0)
  assert(twice <= mostTwice * logged.length, `${twice} of ${logged.length} came twice`)
  return twice
}
