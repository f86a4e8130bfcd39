import nock from 'nock'
import t from 'tap'
import { api, forbidden, me, notFound, openTestClient } from './fixtures/client.ts'

nock.disableNetConnect()
t.beforeEach(() => {
  nock(api).get('/users/me').reply(200, me)
})
t.afterEach(() => nock.cleanAll())

const organization = `${api}/organizations/O1`
const user = `${api}/users/U1`
const wanted = { url: 'https://example.com/hook', events: ['invitee.created'], signingKey: 'a-signing-key' }
const subscription = {
  uri: `${api}/webhook_subscriptions/W1`,
  callback_url: wanted.url,
  state: 'active',
  scope: 'organization',
  events: wanted.events,
  retry_started_at: null
}
const posted = { url: wanted.url, events: wanted.events, signing_key: wanted.signingKey, organization }

t.test('a subscription is made for the whole organisation', async (t) => {
  const { calendly } = openTestClient()
  nock(api)
    .post('/webhook_subscriptions', { ...posted, scope: 'organization' })
    .reply(201, { resource: subscription })
  t.match(await calendly.createSubscription(wanted), {
    kind: 'created',
    subscription: { uri: subscription.uri, callbackUrl: wanted.url, state: 'active' }
  })
})

t.test('where that is forbidden, it is made and listed for the user', async (t) => {
  const { calendly } = openTestClient()
  nock(api)
    .post('/webhook_subscriptions', { ...posted, scope: 'organization' })
    .reply(403, forbidden)
    .post('/webhook_subscriptions', { ...posted, scope: 'user', user })
    .reply(201, { resource: { ...subscription, scope: 'user' } })
    .get('/webhook_subscriptions')
    .query({ organization, scope: 'organization', count: '100' })
    .reply(403, forbidden)
    .get('/webhook_subscriptions')
    .query({ organization, scope: 'user', user, count: '100' })
    .reply(200, { collection: [subscription], pagination: {} })
  t.match(await calendly.createSubscription(wanted), { kind: 'created', subscription: { scope: 'user' } })
  t.match(await calendly.listSubscriptions(), [{ uri: subscription.uri }])
})

t.test('in every scope it is listed for both, or for the one that is allowed', async (t) => {
  const { calendly } = openTestClient()
  const ofAll = { organization, scope: 'organization', count: '100' }
  const ofUser = { organization, scope: 'user', user, count: '100' }
  const other = { ...subscription, uri: `${api}/webhook_subscriptions/W2` }
  const reply = (collection: unknown[]) => ({ collection, pagination: {} })
  nock(api)
    .get('/webhook_subscriptions')
    .query(ofAll)
    .reply(200, reply([subscription]))
  nock(api)
    .get('/webhook_subscriptions')
    .query(ofUser)
    .reply(200, reply([other]))
  t.match(await calendly.listSubscriptions(true), [{ uri: subscription.uri }, { uri: other.uri }])
  nock(api).get('/webhook_subscriptions').query(ofAll).reply(403, forbidden)
  nock(api)
    .get('/webhook_subscriptions')
    .query(ofUser)
    .reply(200, reply([other]))
  t.match(await calendly.listSubscriptions(true), [{ uri: other.uri }])
})

t.test('events that Calendly refuses are left out, where they are optional', async (t) => {
  const { calendly } = openTestClient()
  const optionalEvents = [['routing_form_submission.created'], ['event_type.created', 'event_type.deleted']]
  const offered: string[][] = []
  const answer = (isTaken: (events: string[]) => boolean, status: 400 | 403) => {
    nock(api)
      .post('/webhook_subscriptions')
      .times(8)
      .reply(async (request: Request) => {
        const { events } = (await request.json()) as { events: string[] }
        offered.push(events)
        if (isTaken(events)) return [201, { resource: { ...subscription, events } }]
        return [status, status === 403 ? forbidden : { title: 'Invalid Argument', message: 'events' }]
      })
  }
  const eventsMade = async () => {
    const made = await calendly.createSubscription({ ...wanted, optionalEvents })
    nock.cleanAll()
    return made.kind === 'created' && made.subscription.events
  }

  answer(() => true, 400)
  t.same(await eventsMade(), [...wanted.events, ...optionalEvents.flat()])
  answer((events) => !events.includes('event_type.created'), 400)
  t.same(await eventsMade(), [...wanted.events, 'routing_form_submission.created'])
  answer((events) => !events.includes('routing_form_submission.created'), 403)
  t.same(await eventsMade(), [...wanted.events, 'event_type.created', 'event_type.deleted'])
  answer((events) => events.length === 1, 403)
  t.same(await eventsMade(), wanted.events)
  t.ok(offered.every((events) => events.includes('invitee.created')))

  answer(() => false, 400)
  await t.rejects(eventsMade(), { code: 'calendly_unavailable', message: /events/ })
})

t.test('a second subscription for one URL already exists', async (t) => {
  const { calendly } = openTestClient()
  nock(api)
    .post('/webhook_subscriptions')
    .reply(409, { title: 'Already Exists', message: 'Hook with this url already exists' })
  t.same(await calendly.createSubscription(wanted), { kind: 'exists' })
})

t.test('a subscription that Calendly does not make is an error, asked for once', async (t) => {
  const { calendly } = openTestClient()
  nock(api).post('/webhook_subscriptions').reply(503, {})
  await t.rejects(calendly.createSubscription(wanted), {
    code: 'calendly_unavailable',
    cause: { status: 503 }
  })
  nock(api)
    .post('/webhook_subscriptions')
    .reply(400, { title: 'Invalid Argument', message: 'url must be https' })
  await t.rejects(calendly.createSubscription(wanted), {
    code: 'calendly_unavailable',
    message: 'Calendly makes no subscription: url must be https'
  })
  nock(api).post('/webhook_subscriptions').reply(201, {})
  await t.rejects(calendly.createSubscription(wanted), { code: 'calendly_unavailable' })
})

t.test('a subscription is deleted, and one that is gone already too', async (t) => {
  const { calendly } = openTestClient()
  const deleted = nock(api)
    .delete('/webhook_subscriptions/W1')
    .reply(204)
    .delete('/webhook_subscriptions/W1')
    .reply(404, notFound)
  await calendly.deleteSubscription(subscription.uri)
  await calendly.deleteSubscription(subscription.uri)
  t.ok(deleted.isDone())
  nock(api).delete('/webhook_subscriptions/W1').reply(500, {})
  await t.rejects(calendly.deleteSubscription(subscription.uri), { code: 'calendly_unavailable' })
})
