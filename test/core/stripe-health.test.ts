import t from 'tap'
import { createStripeHealth, type StripeReport } from '../../src/core/stripe-health.ts'
import { describeStripeKey, stripeWarnings } from '../../src/core/stripe-key.ts'

const webhookSecrets = ['whsec_a']
const report: StripeReport = {
  isConfigured: true,
  livemode: true,
  key: 'restricted',
  apiVersion: '2026-10-28.endive',
  status: 'ok',
  breakers: [],
  calls: [],
  refusals: []
}

t.test('a key says how much it may do and in which mode', async (t) => {
  t.same(describeStripeKey(undefined), { kind: 'none', livemode: false })
  t.same(describeStripeKey('rk_live_1'), { kind: 'restricted', livemode: true })
  t.same(describeStripeKey('rk_test_1'), { kind: 'restricted', livemode: false })
  t.same(describeStripeKey('sk_live_1'), { kind: 'full', livemode: true })
  t.same(describeStripeKey('sk_test_live_1'), { kind: 'full', livemode: false })
})

t.test('only a live key that may do everything is too much', async (t) => {
  t.match(stripeWarnings({ secretKey: 'sk_live_1', webhookSecrets }), [/restricted/])
  for (const secretKey of ['sk_test_1', 'rk_live_1', 'rk_test_1', undefined]) {
    t.same(stripeWarnings({ secretKey, webhookSecrets }), [], String(secretKey))
  }
})

t.test('a key without webhooks is worth a word, webhooks without a key are not', async (t) => {
  t.match(stripeWarnings({ secretKey: 'rk_live_1', webhookSecrets: [] }), [/STRIPE_WEBHOOK_SECRET/])
  t.same(stripeWarnings({ webhookSecrets: [] }), [])
})

t.test('what the key was refused is said in words', async (t) => {
  const health = createStripeHealth({
    report: () => ({
      ...report,
      refusals: [
        { endpoint: 'disputes', outcome: 'forbidden' },
        { endpoint: 'charge', outcome: 'unauthenticated' }
      ]
    }),
    lastWebhookAt: () => 5,
    warnings: ['One thing.']
  })()
  t.equal(health.lastWebhookAt, 5)
  t.match(health.warnings, ['One thing.', /disputes: read/, /does not accept/])
})
