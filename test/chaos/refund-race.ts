import assert from 'node:assert/strict'
import { sql } from 'kysely'
import type { Answer } from '../support/service.ts'
import type { Experiment } from './support/experiment.ts'
import { assertWhole } from './support/intake.ts'
import {
  allRefunds,
  distantTimes,
  pay,
  refundsAtStripe,
  startPaid,
  sumOf,
  untilCharged
} from './support/paid.ts'
import { type Replicas, replicaOf } from './support/service.ts'
import { connectionsEach, type Stage } from './support/stage.ts'

const full = 1_000
const bounded = { embedded: 300, postgresql: 1_000 }
const charged = 5_000
const parts = 100

/** Everybody wants a hundredth of one charge back, at the same moment, each under a key of their own. */
export const refundRace: Experiment = {
  engines: ['embedded', 'postgresql'],
  // What is left is looked at first, and by then somebody else has taken it.
  sabotages: [
    { file: 'core/refunds.ts', mechanism: 'refuseUndue(wanted.due, wanted.charge)', without: '' },
    {
      file: 'database/charges.ts',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source's
      mechanism: '.where(sql<boolean>`reserved + elsewhere + ${amount}::bigint <= captured`)',
      without: ''
    }
  ],

  async run(stage, { isBounded }) {
    const callers = isBounded ? bounded[stage.engine] : full
    const replicas = await startPaid(stage)
    const [service] = replicas
    const [startTime = ''] = await distantTimes(stage, service)
    const payers = await pay(stage, [{ startTime, amount: charged }])
    const [{ id }] = await untilCharged(stage, service, payers)
    const startedAt = Date.now()
    const answers = await askAll(stage, replicas, { booking: id, callers })
    const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1)

    assert.deepEqual(tally(answers), { '201': parts, '422 refund_exceeds_charge': callers - parts })
    await assertAllBack(stage, replicas, id)
    return `${callers} callers over ${connectionsEach * replicas.length} connections, ${replicas.length} replicas: ${parts} refunds, answered in ${seconds} s`
  }
}

function askAll(
  stage: Stage,
  replicas: Replicas,
  { booking, callers }: { booking: string; callers: number }
): Promise<Answer[]> {
  const ask = (caller: number) =>
    stage.ask(`${replicaOf(replicas, caller).address}/api/v1/refunds`, {
      method: 'POST',
      idempotencyKey: `caller-${caller}`,
      body: { booking_id: booking, amount: charged / parts }
    })
  return Promise.all(Array.from({ length: callers }, (_, caller) => ask(caller)))
}

function tally(answers: readonly Answer[]): Record<string, number> {
  const kinds = Object.groupBy(answers, ({ status, body }) =>
    body.code === undefined ? `${status}` : `${status} ${body.code}`
  )
  return Object.fromEntries(Object.entries(kinds).map(([kind, all = []]) => [kind, all.length]))
}

/** All of the charge and not a cent more, as Stripe, the refunds, the booking and the ledger say. */
async function assertAllBack(stage: Stage, replicas: Replicas, booking: string): Promise<void> {
  const [service] = replicas
  const refunds = await stage.until(
    'every refund has succeeded',
    () => allRefunds(stage, service),
    (found) => found.every(({ status }) => status === 'succeeded')
  )
  const made = await refundsAtStripe(stage)
  assert.equal(made.length, parts, 'one refund each at Stripe')
  assert.equal(sumOf(made), charged, 'all of the charge, at Stripe')
  assert.deepEqual(
    made.map(({ id, metadata }) => `${metadata.refund_id} ${id}`).sort(),
    refunds.map(({ id, stripe_refund }) => `${id} ${stripe_refund}`).sort(),
    'each refund is its own at Stripe'
  )
  const { body } = await stage.ask(`${service.address}/api/v1/bookings/${booking}`)
  assert.equal(body.payment.refunded_amount, charged, 'all of it, on the booking')
  await assertWhole(stage, service)
  await Promise.all(replicas.map(({ kill }) => kill()))
  const { rows } = await stage.lookIntoDatabase((db) =>
    sql<{ account: string; amount: number }>`
      select account, sum(amount)::int as amount from ledger_entries group by 1`.execute(db)
  )
  assert.deepEqual(
    Object.fromEntries(rows.map(({ account, amount }) => [account, amount])),
    { captured: -charged, refundable: 0, reserved: 0, refunded: charged },
    'all of it, in the ledger'
  )
}
