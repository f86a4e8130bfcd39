import assert from 'node:assert/strict'
import { assertOneEach, book, insist, postsToCalendly, type Wish, wishes } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'
import { type Replicas, replicaOf } from './support/service.ts'
import type { Stage } from './support/stage.ts'
import { untilSubscribed, untilWorkedOff } from './support/webhooks.ts'

const copies = 20
/** Keys at the same moment, each with all of its copies. */
const keysAtOnce = 20

/** Impatient clients send one request many times at once, and Calendly’s webhooks race its answers. */
export const sameKey: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    { file: 'core/idempotency.ts', mechanism: 'if (row.isLeased) throw', without: 'if (false) throw' },
    { file: 'core/idempotency.ts', mechanism: 'if (!isOurs) throw', without: 'if (false) throw' }
  ],

  async run(stage, { isBounded }) {
    const keys = isBounded ? 200 : 1_000
    const replicas = await stage.startReplicas({ webhooks: true })
    await untilSubscribed(stage)
    const wished = await wishes(stage, replicas[0], keys)
    for (let from = 0; from < keys; from += keysAtOnce) {
      const batch = wished.slice(from, from + keysAtOnce)
      await Promise.all(batch.map((wish) => sendCopies(stage, replicas, wish)))
    }
    await untilWorkedOff(stage, replicas[0])
    await assertOneEach(stage, replicas[0], wished)
    assert.equal(await postsToCalendly(stage), keys, 'Calendly was asked once a key')
    for (const { assertSilent } of replicas) assertSilent()
    return `${keys} keys, ${copies} requests each, ${replicas.length} replicas`
  }
}

async function sendCopies(stage: Stage, replicas: Replicas, wish: Wish): Promise<void> {
  const send = (copy: number) => {
    const { address } = replicaOf(replicas, copy)
    return insist(() => book(stage, address, wish))
  }
  const answers = await Promise.all(Array.from({ length: copies }, (_, copy) => send(copy)))
  const [first] = answers
  for (const { status, text } of answers) {
    assert.equal(status, 201, text)
    assert.equal(text, first?.text, 'every copy got the same bytes')
  }
  const replayed = answers.filter(({ headers }) => headers['idempotent-replayed'] === 'true')
  assert.equal(replayed.length, copies - 1, 'all but one were replayed')
}
