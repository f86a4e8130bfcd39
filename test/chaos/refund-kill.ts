import assert from 'node:assert/strict'
import type { Answer } from '../support/service.ts'
import { insist } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'
import { assertWhole } from './support/intake.ts'
import {
  allRefunds,
  distantTimes,
  type Payer,
  pay,
  refundsAtStripe,
  startPaid,
  sumOf,
  untilCharged
} from './support/paid.ts'
import { type Replicas, replicaOf, type Service } from './support/service.ts'
import { patienceMs, type Stage } from './support/stage.ts'

type Body = Answer['body']

/** Twice what is refunded of it: one that is made twice then finds room, and is seen. */
const charged = 10_000
/** Of each charge, all alike, so that nothing but their ids tells them apart. */
const parts = 10
const part = 500
const full = { charges: 200, kills: 50 }
const bounded = { charges: 8, kills: 4 }
/** Stripe has refunded by then. The first is a time-out, after ten seconds. */
const losses = [
  { kind: 'hang', processed: true },
  { kind: 'reset_after' },
  { kind: 'truncate' },
  { kind: 'status', status: 500, processed: true }
]
/** Of all answers to a refund; each kind of loss takes its part of what the ones before it have left. */
const lostShare = 0.3
const share = lostShare / losses.length
const latencyMs = 300
/** So that the service dies before Stripe acts, and while it answers. */
const slowness = [
  { kind: 'latency', latency_ms: latencyMs, probability: 0.3 },
  { kind: 'slow_body', latency_ms: 0, probability: 0.3 }
]
/** A replica dies this long after a round was asked for, or sooner. */
const longestLifeMs = 1_500
/** On a slow machine; where there is one replica, callers wait until it has died for the last time. */
const longestRestartMs = 30_000

/**
 * Stripe loses three in ten of its answers to refunds that it made, while the replicas that wait for them die again and
 * again. Callers repeat their requests until they are answered for good.
 */
export const refundKill: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    {
      file: 'core/refund-submission.ts',
      mechanism: '{ charge, amount, key, refundId, bookingId }',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source's
      without: '{ charge, amount, key: `${key}-${system.random()}`, refundId, bookingId }'
    },
    {
      file: 'core/refund-submission.ts',
      mechanism: 'return (await payments.listRefunds(charge)).find(({ refundId }) => refundId === id)',
      without: 'return undefined'
    }
  ],

  async run(stage, { isBounded }) {
    const { charges, kills } = isBounded ? bounded : full
    const replicas = await startPaid(stage)
    const [service] = replicas
    const times = await distantTimes(stage, service)
    const wishes = times.slice(0, charges).map((startTime) => ({ startTime, amount: charged }))
    const payers = await pay(stage, wishes)
    const bookings = await untilCharged(stage, service, payers)
    assert.equal(bookings.length, charges, 'a booking for each charge')
    await loseAnswers(stage)

    const asked = bookings.flatMap(({ id }) => Array.from({ length: parts }, (_, n) => ({ id, n })))
    const perKill = asked.length / kills
    const withinMs = kills * longestRestartMs + patienceMs
    const answering: Promise<Answer[]>[] = []
    for (let kill = 0; kill < kills; kill++) {
      answering.push(askAll(stage, replicas, asked.slice(kill * perKill, (kill + 1) * perKill), withinMs))
      await stage.pause(longestLifeMs)
      const victim = replicas[Math.floor(stage.random() * replicas.length)] ?? service
      await victim.kill()
      await victim.start()
    }
    const restartedAt = Date.now()
    const answers = (await Promise.all(answering)).flat()
    const refunds = await untilOver(stage, service)
    const seconds = ((Date.now() - restartedAt) / 1_000).toFixed(0)
    await assertOneEach(stage, { payers, answers, refunds })
    await assertWhole(stage, service)
    const lost = await countLost(stage)
    assert(lost > 0, 'answers were lost')
    return `${asked.length} refunds, ${lost} answers lost, ${kills} kills of ${replicas.length}, settled ${seconds} s after the last`
  }
}

/** From now on, and silently: nothing but asking Stripe tells what became of a refund. */
async function loseAnswers(stage: Stage): Promise<void> {
  await stage.control('DELETE', '/stripe/webhooks')
  const match = { method: 'POST', path: '/v1/refunds' }
  for (const [i, loss] of losses.entries()) {
    await stage.control('POST', '/faults', { ...loss, match, probability: share / (1 - i * share) })
  }
  for (const fault of slowness) await stage.control('POST', '/faults', { ...fault, match })
}

async function countLost(stage: Stage): Promise<number> {
  const { faults } = await stage.control('GET', '/faults')
  return faults.slice(0, losses.length).reduce((sum: number, { hits }: { hits: number }) => sum + hits, 0)
}

/** All at once, each of any replica until it has an answer. A failure is heard of by whoever awaits the end. */
function askAll(
  stage: Stage,
  replicas: Replicas,
  asked: readonly { id: string; n: number }[],
  withinMs: number
): Promise<Answer[]> {
  const ask = ({ id, n }: { id: string; n: number }, turn: number) =>
    stage.ask(`${replicaOf(replicas, turn).address}/api/v1/refunds`, {
      method: 'POST',
      idempotencyKey: `${id}-${n}`,
      body: { booking_id: id, amount: part }
    })
  const all = Promise.all(
    asked.map((one) => {
      let turn = one.n
      return insist(() => ask(one, turn++), withinMs)
    })
  )
  all.catch(() => {})
  return all
}

/** The service's refunds once none is on its way any more. */
function untilOver(stage: Stage, service: Service): Promise<Body[]> {
  const isOnItsWay = ({ status }: Body) => ['requested', 'submitting', 'unknown'].includes(status)
  return stage.until(
    'every refund is over',
    () => allRefunds(stage, service),
    (found) => !found.some(isOnItsWay)
  )
}

type Outcome = { payers: readonly Payer[]; answers: readonly Answer[]; refunds: readonly Body[] }

/** Each request is one refund that succeeded, each refund is one at Stripe, and no sum is another. */
async function assertOneEach(stage: Stage, { payers, answers, refunds }: Outcome): Promise<void> {
  const made = await refundsAtStripe(stage)
  assert.equal(made.length, answers.length, `${made.length} refunds at Stripe of ${answers.length} requests`)
  const unwilling = answers.filter(({ status }) => status !== 201)
  assert.equal(unwilling.length, 0, `${unwilling.length} were refused: ${unwilling[0]?.text}`)
  assert.deepEqual(
    refunds.map(({ id }) => id).sort(),
    answers.map(({ body }) => body.id).sort(),
    'each request is a refund of its own, and nothing is refunded besides'
  )
  assert(
    refunds.every(({ status }) => status === 'succeeded'),
    'every refund has succeeded'
  )
  assert.deepEqual(
    made.map(({ id, metadata }) => `${metadata.refund_id} ${id}`).sort(),
    refunds.map(({ id, stripe_refund }) => `${id} ${stripe_refund}`).sort(),
    'each refund is its own at Stripe'
  )
  const paid = new Set(payers.map(({ charge }) => charge))
  const { charges } = await stage.control('GET', '/stripe/state')
  const returned: number[] = charges
    .filter(({ id }: Body) => paid.has(id))
    .map(({ amount_refunded }: Body) => amount_refunded)
  assert.deepEqual(
    returned,
    payers.map(() => parts * part),
    'of each charge what was asked for'
  )
  assert.equal(sumOf(made), sumOf(refunds), 'the same sum here and at Stripe')
}
