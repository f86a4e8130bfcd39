import t, { type Test } from 'tap'
import { request } from 'undici'
import { openPayments } from '../../src/payments/client.ts'
import { openSandbox } from '../../src/sandbox/sandbox.ts'
import { fakeSystem } from '../support/system.ts'

async function open(t: Test, secretKey = 'rk_test_sandbox') {
  const sandbox = await openSandbox({})
  const log = { debug: () => {}, warn: () => {} }
  const system = fakeSystem()
  const payments = openPayments({ baseUrl: sandbox.url, secretKey, version: '1.2.3', system, log })
  t.teardown(async () => {
    await payments.close()
    await sandbox.close()
  })
  async function control(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) {
    const answer = await request(`${sandbox.url}/__sandbox${path}`, {
      method,
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body)
      })
    })
    const text = await answer.body.text()
    if (answer.statusCode >= 400) throw new Error(text)
    return text === '' ? undefined : JSON.parse(text)
  }
  const pay = async (fields: object = {}): Promise<{ charge: string; intent: string }> => {
    const made = await control('POST', '/stripe/payments', { amount: 5_000, currency: 'usd', ...fields })
    return { charge: made.charge?.id, intent: made.payment_intent.id }
  }
  const refund = (charge: string, refundId = 'rfd_1', amount = 1_000, key = refundId) =>
    payments.refund({ charge, amount, key, refundId, bookingId: 'bkg_1' })
  const made = async (): Promise<number> => (await control('GET', '/stripe/state')).refunds.length
  return { payments, control, pay, refund, made }
}

t.test('a payment is read, refunded and listed, with a restricted key', async (t) => {
  const { payments, pay, refund } = await open(t)
  const { charge, intent } = await pay()
  t.match(await payments.findCharge(intent), {
    id: charge,
    paymentIntent: intent,
    captured: 5_000,
    refunded: 0,
    isPaid: true,
    currency: 'usd'
  })
  t.equal(await payments.findIntentStatus(intent), 'succeeded')
  const outcome = await refund(charge)
  t.match(outcome, {
    kind: 'done',
    refund: { charge, amount: 1_000, status: 'succeeded', refundId: 'rfd_1' }
  })
  t.match(await payments.listRefunds(charge), [{ refundId: 'rfd_1', amount: 1_000 }])
  t.match(await payments.findCharge(charge), { refunded: 1_000 })
  t.match(await payments.listRefundsBetween(0, Date.now() + 86_400_000), [{ refundId: 'rfd_1' }])
  t.match(payments.report(), { status: 'ok', refusals: [] })
})

t.test(
  'what is repeated with its key is the same refund, with another amount nothing is known and nothing done',
  async (t) => {
    const { pay, refund, made } = await open(t)
    const { charge } = await pay()
    const [first, again] = [await refund(charge), await refund(charge)]
    t.equal(first.kind, 'done')
    t.same(again, first)
    t.match(await refund(charge, 'rfd_1', 2_000), { kind: 'ambiguous', isKept: true })
    t.equal(await made(), 1)
  }
)

t.test('more than is left is refused, and so is a charge that is not there', async (t) => {
  const { pay, refund, payments } = await open(t)
  const { charge } = await pay()
  t.match(await refund(charge, 'rfd_1', 5_001), { kind: 'refused', code: String })
  t.match(await refund(charge, 'rfd_2', 5_000), { kind: 'done' })
  t.match(await refund(charge, 'rfd_3', 1), { kind: 'refused', code: 'charge_already_refunded' })
  t.match(await refund('ch_missing', 'rfd_4'), { kind: 'refused', code: 'resource_missing' })
  t.equal(await payments.findCharge('ch_missing'), undefined)
  t.equal(await payments.findCharge('pi_missing'), undefined)
})

t.test('a lost answer is ambiguous, whether or not there is a refund', async (t) => {
  for (const [kind, expected] of [
    ['drop_before', 0],
    ['drop_after', 1],
    ['reset_after', 1],
    ['truncate', 1]
  ] as const) {
    const { pay, refund, made, control } = await open(t)
    const { charge } = await pay()
    await control('POST', '/faults', { match: { method: 'POST', path: '/v1/refunds' }, kind, times: 1 })
    t.match(await refund(charge), { kind: 'ambiguous' }, kind)
    t.equal(await made(), expected, kind)
    t.match(await refund(charge), { kind: 'done' }, 'the same key makes it, or finds it')
    t.equal(await made(), 1, kind)
  }
})

t.test('a saved 500 is ambiguous as often as it is asked for', async (t) => {
  const { pay, refund, made, control } = await open(t)
  const { charge } = await pay()
  await control('POST', '/stripe/mishaps', { kind: 'saved_500', times: 1 })
  t.match(await refund(charge), { kind: 'ambiguous' })
  t.match(await refund(charge), { kind: 'ambiguous' })
  t.equal(await made(), 0)
  t.match(await refund(charge, 'rfd_1', 1_000, 'rfd_1-2'), { kind: 'done' })
})

t.test('a limit and a key that is not good are not done', async (t) => {
  const { pay, refund, made, control, payments } = await open(t)
  const { charge } = await pay()
  await control('POST', '/faults', {
    match: { method: 'POST', path: '/v1/refunds' },
    kind: 'rate_limit',
    times: 1
  })
  t.match(await refund(charge), { kind: 'not_done' })
  await control('POST', '/stripe/keys/revoke', { name: 'restricted' })
  t.match(await refund(charge), { kind: 'not_done' })
  await t.rejects(payments.findCharge(charge), { code: 'stripe_unavailable' })
  t.equal(payments.report().status, 'down')
  t.equal(await made(), 0)
})

t.test('a key without a permission says which', async (t) => {
  const { pay, refund, control, payments } = await open(t, 'rk_test_little')
  const permissions = ['charges_read']
  const key = { name: 'little', value: 'rk_test_little', livemode: false, permissions }
  await control('POST', '/stripe/keys', key)
  const { charge } = await pay()
  await t.rejects(payments.findCharge(charge), { code: 'stripe_unavailable' })
  t.match(await refund(charge), { kind: 'not_done' })
  t.match(payments.report(), {
    status: 'degraded',
    refusals: [
      { endpoint: 'disputes', outcome: 'forbidden' },
      { endpoint: 'create_refund', outcome: 'forbidden' }
    ]
  })
})

t.test('a dispute stands in the way until it is won', async (t) => {
  const { pay, payments, control } = await open(t)
  const { charge } = await pay()
  const dispute = await control('POST', '/stripe/disputes', { charge })
  t.match((await payments.findCharge(charge))?.dispute, { id: dispute.id })
  await control('POST', `/stripe/disputes/${dispute.id}`, { status: 'won' })
  t.equal((await payments.findCharge(charge))?.dispute, undefined)
})

t.test('what was not captured, failed, or is of the other mode is no money to give back', async (t) => {
  const { pay, payments } = await open(t)
  const held = await pay({ status: 'requires_capture' })
  t.match(await payments.findCharge(held.intent), { captured: 0 })
  const failed = await pay({ status: 'failed' })
  if (failed.charge) t.match(await payments.findCharge(failed.charge), { isPaid: false, captured: 0 })
  const live = await pay({ livemode: true })
  t.equal(await payments.findCharge(live.charge), undefined)
  t.equal(await payments.findCharge(live.intent), undefined)
})

t.test('two requests with one key at a time leave the second in doubt, and make one refund', async (t) => {
  const { pay, refund, made, control } = await open(t)
  const { charge } = await pay()
  await control('POST', '/stripe/mishaps', { kind: 'slow', times: 1, delay_ms: 300 })
  const outcomes = await Promise.all([refund(charge), refund(charge)])
  t.same(outcomes.map(({ kind }) => kind).sort(), ['ambiguous', 'done'])
  t.equal(await made(), 1)
})
