import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { tablesOf } from '../../src/plugins/database.ts'
import { type EngineKind, engines, inDatabase, testDatabase } from '../support/database.ts'
import { openProxy } from '../support/proxy.ts'
import { aBooking } from '../support/samples.ts'
import { openService, until } from '../support/service.ts'
import { stripeEvent, stripeSignatureOf } from '../support/stripe-webhook.ts'

const secret = 'whsec_of_the_service'
const before = 'whsec_the_one_before'
const path = '/api/webhooks/stripe'
const env = {
  STRIPE_WEBHOOK_SECRET: secret,
  STRIPE_WEBHOOK_SECRET_SECONDARY: before,
  STRIPE_SECRET_KEY: 'rk_test_51AbcDefGhi',
  // Nobody listens there.
  STRIPE_API_BASE_URL: 'http://127.0.0.1:9'
}

/** A service that knows the charge `ch_1`, to be read in an hour. */
async function open(t: Test, engine: EngineKind, changes: Record<string, string> = {}) {
  const service = await openService(t, {
    engine,
    sandbox: null,
    env: { ...env, ...changes },
    prepare: async (db) => {
      await tablesOf(db).bookings.insert(aBooking({ id: 'bkg_1' }))
      await sql`insert into charges (tenant_id, id, booking_id, currency, captured, refunded, livemode, look_at,
        looked_at, created_at) values ('default', 'ch_1', 'bkg_1', 'usd', 100, 0, false,
        now() + interval '1 hour', now(), now())`.execute(db)
    }
  })
  const deliver = (body: string | Buffer, signature: string | undefined) =>
    service.call('POST', path, {
      key: null,
      body,
      ...(signature !== undefined && { headers: { 'stripe-signature': signature } })
    })
  const deliverSigned = (body: string | Buffer, by = secret, at?: number) =>
    deliver(body, stripeSignatureOf(by, body, at))
  return { ...service, deliver, deliverSigned }
}

type Opened = Awaited<ReturnType<typeof open>>

/** Whether the charge was found to be due, once the service is gone. */
async function isDue({ app, database }: Opened): Promise<boolean> {
  await app.close()
  const { rows } = await inDatabase(database, (db) =>
    // A worker may have taken it up: then it is due again within its lease.
    sql<{ due: boolean }>`select look_at < now() + interval '10 minutes' as due from charges`.execute(db)
  )
  return rows[0]?.due ?? false
}

for (const engine of engines) {
  t.test(`a delivery is answered once its charge is due to be read (${engine})`, async (t) => {
    const service = await open(t, engine)
    const answer = await service.deliverSigned(stripeEvent())
    t.match(answer, { status: 204, text: '' })
    t.ok(await isDue(service))
  })

  t.test(`what we have nothing to do with is acknowledged and does nothing (${engine})`, async (t) => {
    const service = await open(t, engine)
    const others = [
      stripeEvent({ object: { object: 'charge', id: 'ch_other' } }),
      stripeEvent({ object: { object: 'customer', id: 'cus_1' }, type: 'customer.created' }),
      stripeEvent({ object: { object: 'charge', id: "ch_1' or true" } }),
      'genuine, but no event'
    ]
    for (const body of others) t.equal((await service.deliverSigned(body)).status, 204, body)
    t.notOk(await isDue(service))
  })

  t.test(`what is forged, old, tampered with or of the other mode does nothing (${engine})`, async (t) => {
    const service = await open(t, engine)
    const { deliver, deliverSigned } = service
    const body = stripeEvent()
    const tampered = body.replace('evt_1', 'evt_2')
    const refused = { status: 401, body: { code: 'invalid_signature' } }
    t.match(await deliver(body, undefined), refused, 'no signature')
    t.match(await deliverSigned(body, 'whsec_of_another_endpoint'), refused, 'another secret')
    t.match(await deliverSigned(body, secret, Date.now() - 400_000), refused, 'too old')
    t.match(await deliver(tampered, stripeSignatureOf(secret, body)), refused, 'tampered with')
    t.match(await deliver(body, 'v1,t'), refused, 'no header at all')
    t.match(
      await deliverSigned(stripeEvent({ livemode: true })),
      { status: 400, body: { code: 'validation_failed', detail: /live mode/ } },
      'of the other mode'
    )
    t.notOk(await isDue(service))
  })
}

t.test('both secrets are accepted, and content types do not matter', async (t) => {
  const service = await open(t, 'embedded')
  t.equal((await service.deliverSigned(stripeEvent(), before)).status, 204)
  const body = stripeEvent()
  for (const type of ['text/plain', 'application/json; charset=utf-8', 'application/octet-stream']) {
    const headers = { 'stripe-signature': stripeSignatureOf(secret, body), 'content-type': type }
    t.equal((await service.call('POST', path, { key: null, body, headers })).status, 204, type)
  }
})

t.test('256 KB are accepted, a byte more is refused', async (t) => {
  const { deliverSigned } = await open(t, 'embedded')
  const full = Buffer.alloc(256 * 1024, ' ')
  full.write(stripeEvent())
  t.equal((await deliverSigned(full)).status, 204)
  t.equal((await deliverSigned(Buffer.concat([full, Buffer.from(' ')]))).status, 413)
})

t.test('without a secret nothing is accepted', async (t) => {
  const { deliverSigned } = await open(t, 'embedded', {
    STRIPE_WEBHOOK_SECRET: '',
    STRIPE_WEBHOOK_SECRET_SECONDARY: ''
  })
  t.equal((await deliverSigned(stripeEvent())).status, 401)
})

t.test('a forger who goes on is not listened to, while the genuine one still is', async (t) => {
  const service = await open(t, 'embedded', { RATE_LIMIT_PER_ADDRESS: '5', TRUST_PROXY: 'true' })
  const from = (address: string, by: string) => {
    const body = stripeEvent()
    const headers = { 'stripe-signature': stripeSignatureOf(by, body), 'x-forwarded-for': address }
    return service.call('POST', path, { key: null, body, headers })
  }
  for (let count = 0; count < 5; count++) t.equal((await from('192.0.2.1', 'whsec_guess')).status, 401)
  t.match(await from('192.0.2.1', 'whsec_guess'), { status: 429, headers: { 'retry-after': /^\d+$/ } })
  for (let count = 0; count < 10; count++) t.equal((await from('192.0.2.2', secret)).status, 204)
})

t.test('what the stand-in for Stripe signs is accepted', async (t) => {
  const service = await openService(t, { env: { STRIPE_WEBHOOK_SECRET: 'whsec_sandbox' } })
  const { call, control, address } = service
  await control('POST', '/stripe/webhooks', { url: `${address}${path}`, secret: 'whsec_sandbox' })
  await control('POST', '/stripe/payments', { amount: 5_000, currency: 'usd' }).then(({ charge }) =>
    control('POST', '/stripe/refunds', { charge: charge.id })
  )
  await until(
    () => call('GET', '/api/health'),
    ({ body }) => body.stripe.last_webhook_at !== null
  )
  t.match(service.app.services.stripeHints.counts(), { forged: 0, unreadable: 0 })
})

t.test('an admin sees how Stripe is, and never its key', async (t) => {
  const { call, deliverSigned } = await open(t, 'embedded')
  const none = (await call('GET', '/api/health')).body.stripe
  t.match(none, {
    configured: true,
    livemode: false,
    key: 'restricted',
    api_version: '2026-10-28.endive',
    last_webhook_at: null,
    warnings: []
  })
  await deliverSigned(stripeEvent())
  const { body, text } = await call('GET', '/api/health')
  t.match(body.stripe, { last_webhook_at: /Z$/ })
  t.notMatch(text, /51AbcDefGhi|whsec_/)
  t.equal((await call('GET', '/api/health', { key: null })).body.stripe, undefined)
})

t.test('a live key that may do everything is warned of', async (t) => {
  const { call } = await open(t, 'embedded', {
    STRIPE_SECRET_KEY: 'sk_live_51AbcDefGhi',
    STRIPE_WEBHOOK_SECRET: '',
    STRIPE_WEBHOOK_SECRET_SECONDARY: ''
  })
  t.match((await call('GET', '/api/health')).body.stripe, {
    livemode: true,
    key: 'full',
    warnings: [/restricted/, /STRIPE_WEBHOOK_SECRET/]
  })
})

t.test('without a key there is nothing to be well or ill', async (t) => {
  const { call } = await open(t, 'embedded', { STRIPE_SECRET_KEY: '' })
  t.match((await call('GET', '/api/health')).body.stripe, {
    configured: false,
    key: 'none',
    status: null,
    warnings: []
  })
})

const skip = !engines.includes('postgresql') && 'needs TEST_DATABASE_URL'

t.test('what cannot be kept is not acknowledged', { skip }, async (t) => {
  const { url = '' } = await testDatabase(t, 'postgresql')
  const proxy = await openProxy(t, url)
  const { deliverSigned } = await open(t, 'postgresql', { DATABASE_URL: proxy.url })
  proxy.cut()
  t.match(await deliverSigned(stripeEvent()), { status: 503, body: { code: 'database_unavailable' } })
})
