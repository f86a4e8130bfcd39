import t from 'tap'
import type { WebhookSubscription } from '../../src/core/calendly.ts'
import { createSubscription } from '../../src/core/subscription.ts'

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
function open(present: WebhookSubscription[], { isLate = false } = {}) {
  const done: unknown[] = []
  const subscription = createSubscription({
    callbackUrl,
    signingKey: 'key',
    calendly: {
      listSubscriptions: async () => present,
      createSubscription: async (wanted) => {
        done.push(wanted)
        return isLate ? { kind: 'exists' } : { kind: 'created', subscription: hook() }
      },
      deleteSubscription: async (uri) => {
        done.push(uri)
      }
    },
    log: { info: () => {}, warn: () => {} }
  })
  return { ...subscription, done }
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
