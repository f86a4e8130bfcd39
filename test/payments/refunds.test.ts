import { createServer } from 'node:net'
import t from 'tap'
import type { StripeRefundOutcome } from '../../src/core/payments.ts'
import { openPayments } from '../../src/payments/client.ts'
import { fakeSystem } from '../support/system.ts'
import { answering, problem, type Reply, refund, saying, testKey } from './support/scripted.ts'

const wanted = { charge: 'ch_1', amount: 1_000, key: 'rfd_1', refundId: 'rfd_1', bookingId: 'bkg_1' }
const inUse = { type: 'idempotency_error', code: 'idempotency_key_in_use' }

t.test('a refund is sent once, with its stored key and what it is found by later', async (t) => {
  const { payments, asked } = await answering(t, { body: refund({ status: 'pending' }) })
  t.match(await payments.refund(wanted), {
    kind: 'done',
    refund: {
      id: 're_1',
      charge: 'ch_1',
      amount: 1_000,
      currency: 'usd',
      status: 'pending',
      refundId: 'rfd_1',
      createdAt: 1_767_225_600_000
    }
  })
  t.equal(asked.length, 1)
  t.match(asked[0], {
    method: 'POST',
    path: '/v1/refunds',
    headers: {
      authorization: `Bearer ${testKey}`,
      'idempotency-key': 'rfd_1',
      'stripe-version': '2026-10-28.endive',
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': /calendly-gateway\/1\.2\.3/
    }
  })
  t.same(Object.fromEntries(new URLSearchParams(asked[0]?.body)), {
    charge: 'ch_1',
    amount: '1000',
    'metadata[refund_id]': 'rfd_1',
    'metadata[booking_id]': 'bkg_1'
  })
  t.notOk(asked[0]?.headers['x-stripe-client-telemetry'])
})

const answers: Record<string, { reply: Reply; outcome: Partial<StripeRefundOutcome> }> = {
  'a refund of a status that is new': {
    reply: { body: refund({ status: 'wondering' }) },
    outcome: { kind: 'done' }
  },
  'a refund that the bank has refused already': {
    reply: { body: refund({ status: 'failed', failure_reason: 'expired_or_canceled_card' }) },
    outcome: { kind: 'done' }
  },
  'more than is left': {
    reply: problem(400, { code: 'charge_already_refunded', message: 'Charge ch_1 has been refunded.' }),
    outcome: { kind: 'refused', code: 'charge_already_refunded', detail: 'Charge ch_1 has been refunded.' }
  },
  'a fault without a code': {
    reply: problem(400, {}),
    outcome: { kind: 'refused', code: 'invalid_request_error' }
  },
  'a key used with other parameters': {
    reply: problem(400, { type: 'idempotency_error' }),
    outcome: { kind: 'ambiguous', isKept: true }
  },
  'a card that was declined': {
    reply: problem(402, { type: 'card_error', code: 'card_declined' }),
    outcome: { kind: 'refused', code: 'card_declined' }
  },
  'a charge that does not exist': {
    reply: problem(404, { code: 'resource_missing' }),
    outcome: { kind: 'refused', code: 'resource_missing' }
  },
  'a key that was revoked': { reply: problem(401, {}), outcome: { kind: 'not_done' } },
  'a permission that is missing': { reply: problem(403, {}), outcome: { kind: 'not_done' } },
  'a limit': {
    reply: problem(429, { code: 'rate_limit' }, { 'retry-after': '7' }),
    outcome: { kind: 'not_done', retryAfterMs: 7_000 }
  },
  'a lock': { reply: problem(429, { code: 'lock_timeout' }), outcome: { kind: 'not_done' } },
  'a limit, as it was answered once': {
    reply: problem(400, { code: 'rate_limit' }),
    outcome: { kind: 'not_done' }
  },
  'the same key at work': { reply: problem(409, inUse), outcome: { kind: 'ambiguous' } },
  'a dependency of Stripe': { reply: problem(424, {}), outcome: { kind: 'ambiguous' } },
  'a 500': { reply: problem(500, { type: 'api_error' }), outcome: { kind: 'ambiguous' } },
  'a 500 that was saved': {
    reply: problem(500, { type: 'api_error' }, { 'idempotent-replayed': 'true' }),
    outcome: { kind: 'ambiguous' }
  },
  'a proxy without a way': { reply: { status: 502, body: '<html>' }, outcome: { kind: 'ambiguous' } },
  'a proxy that knows no such page': {
    reply: { status: 404, body: '<html>' },
    outcome: { kind: 'ambiguous' }
  },
  'a proxy that wants to know who asks': {
    reply: { status: 401, body: '{"message":"no"}' },
    outcome: { kind: 'ambiguous' }
  },
  'a way elsewhere': {
    reply: { status: 302, body: '', headers: { location: '/elsewhere' } },
    outcome: { kind: 'ambiguous' }
  },
  'a success that is no JSON': { reply: { body: '{"id":"re_1","am' }, outcome: { kind: 'ambiguous' } },
  'a success that is no refund': {
    reply: { body: { id: 'ch_1', object: 'charge' } },
    outcome: { kind: 'ambiguous' }
  },
  'a success that is nothing': { reply: { body: 'null' }, outcome: { kind: 'ambiguous' } },
  'a success that speaks of an error': {
    reply: { body: { error: { type: 'api_error' } } },
    outcome: { kind: 'ambiguous' }
  }
}

for (const [name, { reply, outcome }] of Object.entries(answers)) {
  t.test(`${name} is ${outcome.kind}, and nothing is sent a second time`, async (t) => {
    const { payments, asked } = await answering(t, reply)
    t.match(await payments.refund(wanted), outcome)
    t.equal(asked.length, 1)
  })
}

t.test('what is lost after it was sent is ambiguous, and not sent again', async (t) => {
  const cut = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"id":"re_1"'
  const endings = {
    'a reset': () => saying(t, '', (socket) => socket.resetAndDestroy()),
    'a hung-up connection': () => saying(t, '', (socket) => socket.destroy()),
    'an answer cut short': () => saying(t, cut, (socket) => socket.destroy()),
    'an answer that is no HTTP': () => saying(t, 'SSH-2.0-OpenSSH\r\n\r\n')
  }
  for (const [name, open] of Object.entries(endings)) {
    const { payments, asked } = await open()
    t.match(await payments.refund(wanted), { kind: 'ambiguous' }, name)
    t.equal(asked.filter((bytes) => bytes.startsWith('POST')).length, 1, name)
  }
})

t.test('an answer that does not come in time is ambiguous', async (t) => {
  const { payments } = await saying(t, '', () => {}, { deadlines: { totalMs: 100, attemptMs: 100 } })
  t.match(await payments.refund(wanted), { kind: 'ambiguous' })
})

t.test('what never left is not done', async (t) => {
  const server = createServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  await new Promise((closed) => server.close(closed))
  for (const baseUrl of [`http://127.0.0.1:${port}`, 'http://does-not-exist.invalid']) {
    const payments = openPayments({
      baseUrl,
      secretKey: testKey,
      version: '1',
      system: fakeSystem(),
      log: { debug: () => {}, warn: () => {} }
    })
    t.match(await payments.refund(wanted), { kind: 'not_done' }, baseUrl)
    await payments.close()
  }
})

t.test('a connection that is not made safe is not done', async (t) => {
  const { payments } = await saying(t, 'no TLS here', (socket) => socket.destroy(), { protocol: 'https' })
  t.match(await payments.refund(wanted), { kind: 'not_done' })
})

t.test('without a key nothing is done', async (t) => {
  const payments = openPayments({
    baseUrl: 'http://127.0.0.1:9',
    version: '1',
    system: fakeSystem(),
    log: { debug: () => {}, warn: () => {} }
  })
  t.equal(payments.isConfigured, false)
  t.match(await payments.refund(wanted), { kind: 'not_done' })
  await t.rejects(payments.findCharge('ch_1'), { code: 'stripe_unavailable' })
  await t.rejects(payments.listRefunds('ch_1'), { code: 'stripe_unavailable' })
  await payments.close()
})

t.test('while Stripe fails refunds rest, and one of them finds out when it is over', async (t) => {
  let isUp = false
  const { payments, asked, system } = await answering(t, () =>
    isUp ? { body: refund() } : problem(500, { type: 'api_error' })
  )
  for (let count = 0; count < 10; count++) t.match(await payments.refund(wanted), { kind: 'ambiguous' })
  t.match(await payments.refund(wanted), { kind: 'not_done', retryAfterMs: 5_000 })
  t.equal(asked.length, 10, 'at rest nothing is sent')
  isUp = true
  await system.sleep(5_000)
  t.match(await payments.refund(wanted), { kind: 'done' })
  t.match(await payments.refund(wanted), { kind: 'done' })
})
