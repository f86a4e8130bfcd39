import assert from 'node:assert/strict'
import type { Answer } from '../support/service.ts'
import { allBookings, insist } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'
import { assertWhole } from './support/intake.ts'
import {
  allRefunds,
  distantTimes,
  type Payer,
  pay,
  refundsAtStripe,
  startPaid,
  untilCharged
} from './support/paid.ts'
import { type Replicas, replicaOf } from './support/service.ts'
import type { Stage } from './support/stage.ts'
import { untilWorkedOff } from './support/webhooks.ts'

type Body = Answer['body']

/** Canceled while the same one is silent. */
const atOnce = 6
const rounds = { bounded: 1, full: 8 }
const charged = 5_001
const refunded = 2_500
/** What is cut short waits for a lease of 30 s, sometimes twice. */
const longestWorkMs = 180_000
/** A host's cancellation gives back all of it. */
const policy = { tiers: [{ notice_hours: 1, percent: 50 }], host_cancel_percent: 100 }

/** Who falls silent, whether after having acted, and whether Calendly's webhooks come before the service dies. */
type Silence = { path: string; method: 'GET' | 'POST'; processed: boolean; isTold: boolean }

const cancellation = { path: '*/cancellation', method: 'POST' } as const
const silences: readonly Silence[] = [
  { ...cancellation, processed: false, isTold: false },
  { ...cancellation, processed: true, isTold: false },
  { ...cancellation, processed: true, isTold: true },
  { path: '/v1/*', method: 'GET', processed: false, isTold: true }
]

/**
 * Cancellations that are asked for on the invitee's behalf, which Calendly reports as the host's, while the service dies
 * between what it wrote down and what it was answered. All of them are refunded by the invitee's tier, once.
 */
export const refundCancel: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    {
      file: 'core/booking-changes.ts',
      mechanism: "intent?.cancelerType ?? (fact?.cancelerType === 'host'",
      without: "(fact?.cancelerType === 'host'"
    }
  ],

  async run(stage, { isBounded }) {
    const deaths = Array.from({ length: isBounded ? rounds.bounded : rounds.full }, () => silences).flat()
    const replicas = await startPaid(stage)
    const [service] = replicas
    const put = await stage.ask(`${service.address}/api/v1/refund-policies/default`, {
      method: 'PUT',
      body: policy
    })
    assert.equal(put.status, 200, put.text)
    const times = await distantTimes(stage, service)
    const wishes = times.slice(0, atOnce * deaths.length).map((startTime) => ({ startTime, amount: charged }))
    const payers = await pay(stage, wishes)
    const bookings = await untilCharged(stage, service, payers)
    await untilWorkedOff(stage, service)

    const ids: string[] = bookings.map(({ id }) => id)
    const answering: Promise<Answer[]>[] = []
    for (const [n, silence] of deaths.entries()) {
      const asked = ids.slice(n * atOnce, (n + 1) * atOnce)
      answering.push((await dieMeanwhile(stage, replicas, { silence, asked })).answers)
    }
    const answers = (await Promise.all(answering)).flat()
    const unwilling = answers.filter(({ status }) => status !== 200 && status !== 202)
    assert.equal(unwilling.length, 0, `${unwilling.length} were refused: ${unwilling[0]?.text}`)
    await assertRefunded(stage, replicas, payers)
    await assertWhole(stage, service)
    return `${answers.length} canceled, ${deaths.length} deaths of ${replicas.length}, each refunded once by the invitee’s tier`
  }
}

/** Cancels while somebody is silent, and all replicas die. Says what the callers are answered in the end. */
async function dieMeanwhile(
  stage: Stage,
  replicas: Replicas,
  { silence, asked }: { silence: Silence; asked: readonly string[] }
): Promise<{ answers: Promise<Answer[]> }> {
  const { path, method, processed, isTold } = silence
  await stage.control('POST', '/webhooks/mode', { withhold: !isTold })
  await stage.control('POST', '/faults', { kind: 'hang', processed, match: { method, path } })
  const answers = Promise.all(asked.map((id, turn) => cancel(stage, replicas, id, turn)))
  answers.catch(() => {})
  await stage.until(
    `${path} is silent`,
    () => stage.control('GET', '/faults'),
    ({ faults }) => faults[0].hits >= asked.length
  )
  if (isTold) await untilWorkedOff(stage, replicas[0])
  await Promise.all(replicas.map(({ kill }) => kill()))
  await stage.control('DELETE', '/faults')
  for (const replica of replicas) await replica.start()
  await stage.control('POST', '/webhooks/mode', { withhold: false })
  await stage.control('POST', '/webhooks/release')
  return { answers }
}

/** Asks for it until there is an answer, of whichever replica is there. */
function cancel(stage: Stage, replicas: Replicas, id: string, turn: number): Promise<Answer> {
  let turns = turn
  return insist(
    () =>
      stage.ask(`${replicaOf(replicas, turns++).address}/api/v1/bookings/${id}/cancel`, {
        method: 'POST',
        idempotencyKey: `cancel-${id}`,
        body: { canceler_type: 'invitee' }
      }),
    longestWorkMs
  )
}

/** Half of each charge, in one refund, here and at Stripe, for the reason that an invitee's cancellation has. */
async function assertRefunded(stage: Stage, replicas: Replicas, payers: readonly Payer[]): Promise<void> {
  const [service] = replicas
  const refunds = await stage.until(
    'everybody has been refunded',
    () => allRefunds(stage, service),
    (found) => found.filter(({ status }) => status === 'succeeded').length >= payers.length,
    longestWorkMs
  )
  const due = payers.map(({ charge }) => `${charge} ${refunded}`).sort()
  const summary = (all: readonly Body[]) => all.map(({ charge, amount }) => `${charge} ${amount}`).sort()
  assert.deepEqual(summary(await refundsAtStripe(stage)), due, 'by the tier, at Stripe')
  assert.deepEqual(summary(refunds), due, 'and here')
  assert.deepEqual(
    new Set(refunds.map(({ trigger, rule }) => `${trigger} ${rule}`)),
    new Set(['cancellation notice_1h'])
  )
  const bookings = await allBookings(stage, service)
  assert(
    bookings.every(
      ({ status, cancellation, payment }) =>
        status === 'canceled' &&
        cancellation.canceler_type === 'invitee' &&
        payment.refunded_amount === refunded
    ),
    'every booking says so'
  )
}
