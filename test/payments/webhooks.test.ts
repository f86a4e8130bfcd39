import t from 'tap'
import { verifyStripeWebhook } from '../../src/payments/webhooks.ts'
import { stripeEvent, stripeSignatureOf } from '../support/stripe-webhook.ts'

const now = Date.parse('2026-01-01T12:00:00Z')
const secrets = ['whsec_first', 'whsec_second']
const [first = '', second = ''] = secrets

function verdictOn(body: string | Buffer, header: unknown = stripeSignatureOf(first, body, now)) {
  return verifyStripeWebhook({ header, body: Buffer.from(body), secrets, now })
}
const hintOf = (object: object, type = 'any') => {
  const verdict = verdictOn(stripeEvent({ object, type }))
  return verdict.kind === 'genuine' ? verdict.hint.charge : verdict.kind
}

t.test('the charge that an event speaks of is found wherever Stripe names it', async (t) => {
  t.equal(hintOf({ object: 'charge', id: 'ch_1' }), 'ch_1')
  t.equal(hintOf({ object: 'refund', id: 're_1', charge: 'ch_1' }), 'ch_1')
  t.equal(hintOf({ object: 'refund', id: 're_1', charge: { object: 'charge', id: 'py_1' } }), 'py_1')
  t.equal(hintOf({ object: 'dispute', id: 'dp_1', charge: 'ch_1' }), 'ch_1')
  t.equal(hintOf({ object: 'payment_intent', id: 'pi_1', latest_charge: 'ch_1' }), 'ch_1')
  for (const other of [
    { object: 'customer', id: 'cus_1' },
    { object: 'payment_intent', latest_charge: null },
    {}
  ]) {
    t.equal(hintOf(other), undefined)
  }
})

t.test('either secret will do', async (t) => {
  const body = stripeEvent({ livemode: true, type: 'charge.dispute.created' })
  for (const secret of secrets) {
    t.same(verdictOn(body, stripeSignatureOf(secret, body, now)), {
      kind: 'genuine',
      hint: { id: 'evt_1', type: 'charge.dispute.created', livemode: true, charge: 'ch_1' }
    })
  }
  const wrong = `v1=${'0'.repeat(64)}`
  t.match(verdictOn(body, `${stripeSignatureOf(second, body, now)},${wrong},v0=abc`), { kind: 'genuine' })
})

t.test('a signature is good for five minutes', async (t) => {
  const body = stripeEvent()
  const aged = (seconds: number) => verdictOn(body, stripeSignatureOf(first, body, now - seconds * 1000)).kind
  t.equal(aged(300), 'genuine')
  t.equal(aged(301), 'forged')
  t.equal(aged(86_400), 'forged')
})

t.test('what is genuine but no event is not taken for a forgery', async (t) => {
  const odd = [
    'hello',
    'null',
    '[]',
    '{}',
    '{"id":1}',
    stripeEvent().replace('"livemode":false', '"livemode":"no"')
  ]
  for (const body of odd) t.equal(verdictOn(body).kind, 'unreadable', body)
  for (const data of [undefined, null, [], {}, { object: null }, { object: { charge: 7 } }, { object: [] }]) {
    t.match(verdictOn(stripeEvent({ data })), { kind: 'genuine', hint: { charge: undefined } })
  }
})

t.test(
  'an event without its object, of which Stripe has a kind, is refused: it names no charge',
  async (t) => {
    const thin = { object: 'v2.core.event', id: 'evt_1', type: 'v1.charge.refunded', livemode: false }
    t.equal(verdictOn(JSON.stringify(thin)).kind, 'forged')
  }
)

t.test('bytes that only read the same are not those that were signed', async (t) => {
  const body = stripeEvent({ id: 'evt_\ufffd' })
  const header = stripeSignatureOf(first, body, now)
  const others = [
    Buffer.from(`\ufeff${body}`),
    Buffer.concat([Buffer.of(0xff), Buffer.from(body)]),
    Buffer.from(Buffer.from(body).toString('latin1').replace('\u00ef\u00bf\u00bd', '\u00ff'), 'latin1')
  ]
  t.equal(verdictOn(body, header).kind, 'genuine')
  for (const other of others) t.equal(verdictOn(other, header).kind, 'forged')
})

t.test('no header, however odd, is more than a forgery', async (t) => {
  const body = stripeEvent()
  const good = stripeSignatureOf(first, body, now)
  const [time = '', signature = ''] = good.split(',')
  const odd = [
    null,
    '',
    [good],
    [good, good],
    7,
    time,
    signature,
    `${time},v1=`,
    `${time},v1`,
    `${time},=`,
    `${time},,${signature}`,
    `t=,${signature}`,
    `t=NaN,${signature}`,
    `t=${now},${signature}`,
    `${time},v0=${signature.slice(3)}`,
    `${time},v1=${signature.slice(3).toUpperCase()}`,
    `${time},v1=${'é'.repeat(64)}`,
    `${time},${signature.slice(0, -1)}`,
    `${time},${signature}0`
  ]
  for (const header of odd) t.equal(verdictOn(body, header).kind, 'forged', String(header))
  t.equal(verdictOn('', stripeSignatureOf(first, '', now)).kind, 'forged', 'nothing is no delivery')
  t.equal(verifyStripeWebhook({ header: good, body: Buffer.from(body), secrets: [], now }).kind, 'forged')
  t.equal(
    verifyStripeWebhook({ header: good, body: Buffer.from(body), secrets: ['whsec_other'], now }).kind,
    'forged'
  )
})
