import t from 'tap'
import type { WebhookSubscription } from '../../src/core/calendly.ts'
import { createSubscription, isHealthy } from '../../src/core/subscription.ts'
import { fakeSystem } from '../support/system.ts'

const callbackUrl = 'https://gateway.example/api/webhooks/calendly'
const hook = (changes: Partial<WebhookSubscription> = {}): WebhookSubscription => ({
  uri: 'https://api.calendly.com/webhook_subscriptions/1',
  callbackUrl,
  state: 'active',
  scope: 'organization',
  events: [],
  ...changes
})

/** A Calendly with these subscriptions, and what was done to it. */
function open(present: WebhookSubscription[], { isLate = false, isRefused = false } = {}) {
  const done: unknown[] = []
  const system = fakeSystem()
  const subscription = createSubscription({
    system,
    callbackUrl,
    signingKey: 'key',
    calendly: {
      listSubscriptions: async () => present,
      createSubscription: async (wanted) => {
        if (isRefused) throw new Error('refused')
        done.push(wanted)
        return isLate ? { kind: 'exists' } : { kind: 'created', subscription: hook() }
      },
      deleteSubscription: async (uri) => {
        done.push(uri)
      }
    },
    log: { info: () => {}, warn: () => {} }
  })
  return { ...subscription, done, system }
}

const wanted = {
  url: callbackUrl,
  signingKey: 'key',
  events: ['invitee.created', 'invitee.canceled', 'invitee_no_show.created', 'invitee_no_show.deleted']
}

t.test('one is made where there is none on our address', async (t) => {
  const { ensure, done } = open([hook({ callbackUrl: 'https://somebody.else' })])
  await ensure()
  t.same(done, [wanted])
})

t.test('one that is active is left alone', async (t) => {
  const { ensure, done } = open([hook({ uri: '2', state: 'disabled' }), hook()])
  await ensure()
  t.same(done, [])
})

t.test('one that Calendly has disabled is replaced', async (t) => {
  const { ensure, done } = open([hook({ state: 'disabled' })])
  await ensure()
  t.same(done, [hook().uri, wanted])
})

t.test('one that another replica has just made is as good', async (t) => {
  const { ensure } = open([], { isLate: true })
  await t.resolves(ensure())
})

t.test('how the latest look left it is told, and none before the first', async (t) => {
  const seen = async (present: WebhookSubscription[], options: Parameters<typeof open>[1] = {}) => {
    const { ensure, lastSeen, system } = open(present, options)
    t.equal(lastSeen(), undefined)
    await system.sleep(1_000)
    await ensure().catch(() => {})
    const report = lastSeen()
    t.match(report, { callbackUrl, checkedAt: system.now() })
    return report && { state: report.state, isHealthy: isHealthy(report) }
  }
  t.same(await seen([hook()]), { state: 'active', isHealthy: true })
  t.same(await seen([hook({ retryStartedAt: 1 })]), { state: 'active', isHealthy: false })
  t.same(await seen([hook({ state: 'disabled' })]), { state: 'active', isHealthy: true }, 'replaced')
  t.same(await seen([hook({ state: 'disabled' })], { isRefused: true }), {
    state: 'disabled',
    isHealthy: false
  })
  t.same(await seen([]), { state: 'active', isHealthy: true }, 'made')
  t.same(await seen([], { isRefused: true }), { state: 'missing', isHealthy: false })
  t.same(await seen([], { isLate: true }), { state: 'missing', isHealthy: false }, 'where we cannot see it')
})
