import t from 'tap'
import { request } from 'undici'
import { standard } from '../../src/sandbox/standard.ts'
import { engines } from '../support/database.ts'
import { readLog } from '../support/events.ts'
import { openService, type Service, until } from '../support/service.ts'
import { signatureOf, webhookBody } from '../support/webhook.ts'
import { asked, bookings, eventTypes, timelineOf, untilApplied, untilSubscribed } from './support/client.ts'

type Body = { method: string; path: string; status: number }

const path = '/api/v1/calendly/subscription'
const rotation = `${path}/rotate-signing-key`

const show = async ({ call }: Service) => (await call('GET', path)).body
const shownAs = (service: Service, state: string) =>
  until(
    () => show(service),
    (shown) => shown.state === state
  )
const hooksOf = async ({ control }: Service) => (await control('GET', '/state')).webhook_subscriptions
const book = ({ control }: Service) => control('POST', '/book', { event_type: eventTypes.thirtyMinutes })

/** What Calendly was told to do with subscriptions, in order. */
const writes = async ({ control }: Service): Promise<string[]> => {
  const { requests } = await control('GET', '/requests')
  return requests
    .filter(({ method, path }: Body) => method !== 'GET' && path.startsWith('/webhook_subscriptions'))
    .map(({ method, status }: Body) => `${method} ${status}`)
}

/** Posts a webhook to a path of the intake, signed with a key. */
const post = ({ call }: Service, slot: string, key: string, body: string) =>
  call('POST', `/api/webhooks/calendly${slot}`, {
    key: null,
    body,
    headers: { 'calendly-webhook-signature': signatureOf(key, body) }
  })

for (const engine of engines) {
  t.test(`the subscription (${engine})`, async (t) => {
    // Looked at when a test asks for it.
    const env = { SUBSCRIPTION_CHECK_SECONDS: '3600' }
    const service = await openService(t, { engine, webhooks: true, env })
    const { call, control } = service
    await untilSubscribed(service)

    t.test('is shown as the latest look has left it', async (t) => {
      const shown = await shownAs(service, 'active')
      const [hook] = await hooksOf(service)
      t.match(shown, {
        callback_url: hook.callback_url,
        scope: 'organization',
        events: hook.events,
        retry_started_at: null,
        signing_key: { slot: null, created_at: null },
        last_delivery_at: null,
        detail: null
      })
      t.match(shown.events, [
        'invitee.created',
        'invitee.canceled',
        'invitee_no_show.created',
        'invitee_no_show.deleted',
        'routing_form_submission.created',
        'event_type.created',
        'event_type.updated',
        'event_type.deleted'
      ])
      await book(service)
      await untilApplied(service)
      t.ok(Date.parse((await show(service)).last_delivery_at) > Date.now() - 60_000)
    })

    t.test('is restored on request, with what was missed looked for and told', async (t) => {
      await control('POST', '/webhooks/disable')
      t.equal((await show(service)).state, 'active', 'nobody has looked')
      await control('DELETE', '/requests')
      const { status, body } = await call('POST', path)
      t.equal(status, 200)
      t.match(body, { state: 'active', retry_started_at: null, signing_key: { slot: /^[0-9a-f]{32}$/ } })
      t.same(await show(service), body)
      const { events } = await readLog(service, { query: { type: 'calendly_subscription.restored' } })
      t.same(
        events.map(({ data }) => data),
        [{ subscription: body }]
      )
      t.same(await writes(service), ['POST 201', 'DELETE 204'])
      const [gap] = (await call('GET', '/api/v1/reconciliations')).body.data.filter(
        ({ trigger }: { trigger: string }) => trigger === 'gap'
      )
      t.ok(gap)
      t.equal((await call('GET', '/api/health/calendly')).body.status, 'ok')
      await book(service)
      await untilApplied(service)
      t.match(await bookings(service), [{ source: 'webhook' }, { source: 'webhook' }])
    })

    t.test('gets a new signing key, and the old one verifies what is still to come', async (t) => {
      const { slot: before } = (await show(service)).signing_key
      const [old] = await hooksOf(service)
      await control('DELETE', '/requests')
      const { status, body } = await call('POST', rotation)
      t.equal(status, 200)
      t.match(body, { state: 'active', signing_key: { slot: /^[0-9a-f]{32}$/ } })
      t.not(body.signing_key.slot, before)
      t.ok(Date.parse(body.signing_key.created_at) > Date.now() - 60_000)
      t.same(await writes(service), ['POST 201', 'DELETE 204'], 'the new one comes before the old one goes')
      const hooks = await hooksOf(service)
      t.match(hooks, [{ callback_url: body.callback_url }])
      t.not(hooks[0].uri, old.uri)
      const [sent] = await asked(service, 'POST', /webhook_subscriptions/)
      const key = sent?.body.signing_key
      const slots = [`/${body.signing_key.slot}`, `/${before}`, '']
      for (const [turn, slot] of slots.entries()) {
        const { status } = await post(service, slot, key, webhookBody({ id: `ROTATED${turn}` }))
        t.equal(status, slot === slots[0] ? 204 : 401, 'a key is tried on its own path only')
        const wrong = await post(service, slot, 'another', webhookBody({ id: `WRONG${turn}` }))
        t.equal(wrong.status, 401)
      }
      const environment = await post(
        service,
        slots[0] ?? '',
        standard.signingKey,
        webhookBody({ id: 'BARE' })
      )
      t.equal(environment.status, 401)
      t.equal((await post(service, '', standard.signingKey, webhookBody({ id: 'BARE' }))).status, 204)
    })

    t.test('is rotated once under one key, and in turn by two at once', async (t) => {
      const slotOf = ({ body }: { body: { signing_key: { slot: string } } }) => body.signing_key.slot
      const first = await call('POST', rotation, { idempotencyKey: 'rotate-1' })
      const again = await call('POST', rotation, { idempotencyKey: 'rotate-1' })
      t.equal(slotOf(first), slotOf(again))
      t.equal(again.headers['idempotent-replayed'], 'true')
      const both = await Promise.all([call('POST', rotation), call('POST', rotation)])
      t.same(
        both.map(({ status }) => status),
        [200, 200]
      )
      t.equal((await hooksOf(service)).length, 1)
      const { signing_key } = await show(service)
      t.ok(both.map(slotOf).includes(signing_key.slot))
    })

    t.test('has one effect where two overlap', async (t) => {
      const [hook] = await hooksOf(service)
      const { uri } = (await control('GET', '/state')).organizations[0]
      const events = ['invitee.created', 'invitee.canceled']
      const { origin } = new URL(hook.callback_url)
      await request(`${service.sandbox?.url}/webhook_subscriptions`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${standard.tokens.ada}`,
          'user-agent': 'test',
          'content-type': 'application/json'
        },
        body: JSON.stringify({
          url: `${origin}/api/webhooks/calendly`,
          organization: uri,
          scope: 'organization',
          signing_key: standard.signingKey,
          events
        })
      })
      t.equal((await hooksOf(service)).length, 2)
      const known = (await bookings(service)).length
      for (let person = 0; person < 5; person++) await book(service)
      await untilApplied(service)
      const ours = await bookings(service)
      t.equal(ours.length, known + 5)
      for (const { id } of ours.slice(0, 5)) t.same(await timelineOf(service, id), ['recorded'])
      await call('POST', path)
      t.same(await hooksOf(service), [hook], 'the other one is removed')
    })

    t.test('stays as it was seen while Calendly is away', async (t) => {
      const before = await show(service)
      await control('POST', '/faults', {
        kind: 'status',
        status: 503,
        match: { path: '/webhook_subscriptions' }
      })
      for (const route of [path, rotation]) {
        t.match(await call('POST', route), { status: 503, body: { code: 'calendly_unavailable' } })
      }
      t.same(await show(service), before)
      await control('DELETE', '/faults')
      t.equal((await call('POST', path)).status, 200)
    })
  })
}

t.test('a subscription that Calendly disables is restored by itself', async (t) => {
  const service = await openService(t, { webhooks: true, env: { SUBSCRIPTION_CHECK_SECONDS: '0.1' } })
  await untilSubscribed(service)
  await service.control('POST', '/webhooks/disable')
  const shown = await until(
    () => show(service),
    ({ signing_key }) => signing_key.slot !== null
  )
  t.equal(shown.state, 'active')
  t.match(await hooksOf(service), [{ callback_url: shown.callback_url, state: 'active' }])
})

t.test('where none is kept, it is said what is missing', async (t) => {
  const service = await openService(t)
  t.match(await show(service), {
    state: 'missing',
    callback_url: null,
    events: [],
    checked_at: null,
    detail: /PUBLIC_URL.*CALENDLY_WEBHOOK_SIGNING_KEY/
  })
  for (const route of [path, rotation]) {
    t.match(await service.call('POST', route), {
      status: 409,
      body: { code: 'subscription_not_kept', detail: /PUBLIC_URL/ }
    })
  }
})
