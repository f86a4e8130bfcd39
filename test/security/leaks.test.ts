import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { loggerOptions } from '../../src/logger.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { standard, standardSeed } from '../../src/sandbox/standard.ts'
import { engines } from '../support/database.ts'
import { openEcho } from '../support/echo.ts'
import { sendRaw } from '../support/raw.ts'
import { aBooking } from '../support/samples.ts'
import { type Answer, openService, until } from '../support/service.ts'
import { stripeEvent, stripeSignatureOf } from '../support/stripe-webhook.ts'
import { signatureOf, webhookBody } from '../support/webhook.ts'

/** Part of everything that must stay where it was sent to. */
const canary = 'c4n4ry'
const [token, spareToken, signingKey, spareSigningKey, adminKey] = Array.from(
  { length: 5 },
  (_, index) => `${canary}-secret-${index}-${randomBytes(16).toString('hex')}`
) as [string, string, string, string, string]
const stripeKey = `rk_test_${canary}${randomBytes(16).toString('hex')}`
const [stripeSecret, spareStripeSecret] = [`whsec_${canary}1`, `whsec_${canary}2`]
const encryptionKey = randomBytes(32).toString('base64')
const email = `ada@${canary}.example`
const meeting = standard.eventTypes.consultation
const seed = {
  ...standardSeed,
  signing_key: signingKey,
  tokens: [{ name: 'first', value: token, user: 'ADAHOSTBERLIN234' }]
}

const booking = (startTime: string, changes: Record<string, unknown> = {}) => ({
  event_type: meeting,
  start_time: startTime,
  invitee: { name: `Ada ${canary}`, email, timezone: 'UTC', text_reminder_number: '+49 30 471108154711' },
  location: { kind: 'zoom_conference' },
  questions_and_answers: [
    { question: 'Company name', answer: `${canary} Ltd.`, position: 0 },
    { question: 'Phone Number', answer: '+49 30 471108154711', position: 2 },
    { question: 'Team size', answer: '1-10', position: 3 }
  ],
  tracking: { utm_source: canary },
  event_guests: [`guest@${canary}.example`],
  metadata: { note: canary },
  ...changes
})

t.setTimeout(90_000)

for (const engine of engines) {
  t.test(
    `no secret and no person is in a log line, problem, health answer or metric (${engine})`,
    async (t) => {
      const lines: string[] = []
      const shown: string[] = []
      const secrets = [canary, encryptionKey, '471108154711']

      const stripe = await openEcho(t)
      const service = await openService(t, {
        engine,
        webhooks: true,
        sandbox: { seed },
        env: {
          CALENDLY_API_TOKEN_SECONDARY: spareToken,
          CALENDLY_WEBHOOK_SIGNING_KEY_SECONDARY: spareSigningKey,
          ADMIN_API_KEY: adminKey,
          ENCRYPTION_KEY: encryptionKey,
          STRIPE_SECRET_KEY: stripeKey,
          STRIPE_WEBHOOK_SECRET: stripeSecret,
          STRIPE_WEBHOOK_SECRET_SECONDARY: spareStripeSecret,
          STRIPE_API_BASE_URL: stripe.url,
          BOOKING_LOOKUP_SECONDS: '0.1',
          CALENDLY_KEY_PROBE_SECONDS: '0.01',
          CALENDLY_CACHE_TTL: '0'
        },
        prepare: async (db) => {
          await tablesOf(db).bookings.insert(
            aBooking({ id: 'bkg_paid', startTime: Date.parse('2026-01-01') })
          )
          await sql`insert into charges (tenant_id, id, booking_id, currency, captured, refunded, livemode,
            looked_at, created_at) values ('default', 'ch_1', 'bkg_paid', 'usd', 100, 0, false, now(), now())`.execute(
            db
          )
        },
        logger: { ...loggerOptions('trace'), stream: { write: (line) => void lines.push(line) } }
      })
      const { control, address, app } = service

      /** Keeps of an answer what must be clean: successes belong to the caller, problems to nobody. */
      async function call(method: string, path: string, options: Parameters<typeof service.call>[2] = {}) {
        const answer: Answer = await service.call(method, path, { key: adminKey, ...options })
        if (answer.status >= 400 || /^\/(api\/health|metrics)/.test(path)) shown.push(answer.text)
        return answer
      }
      const book = (idempotencyKey: string, body: unknown) =>
        call('POST', '/api/v1/bookings', { idempotencyKey, body })
      async function deliver(body: string | Buffer, signature: string) {
        secrets.push(signature.slice(-64))
        const headers = { 'calendly-webhook-signature': signature }
        return call('POST', '/api/webhooks/calendly', { key: null, body, headers })
      }
      const fault = (method: string, path: string, rest: object) =>
        control('POST', '/faults', { match: { method, path }, times: 1, ...rest })

      const query = new URLSearchParams({
        event_type: meeting,
        start_time: new Date(Date.now() + 2 * 86_400_000).toISOString(),
        end_time: new Date(Date.now() + 30 * 86_400_000).toISOString(),
        timezone: 'UTC'
      })
      const free = await call('GET', `/api/v1/availability?${query}`)
      const times: string[] = free.body.days.map((day: { slots: { start_time: string }[] }) => {
        return day.slots[0]?.start_time
      })
      const nextTime = () => times.shift() ?? ''

      // What goes well.
      const { body: callerKey } = await call('POST', '/api/v1/caller-keys', {
        body: { name: 'reader', scopes: ['bookings:read'] }
      })
      secrets.push(callerKey.key, callerKey.key.slice(4))
      // Nothing listens there, so that there is a failure to tell of.
      const { body: endpoint } = await call('POST', '/api/v1/event-endpoints', {
        body: { url: `http://127.0.0.1:1/${canary}?token=${canary}`, types: ['booking.confirmed'] }
      })
      const atEndpoint = `/api/v1/event-endpoints/${endpoint.id}`
      const { body: rotated } = await call('POST', `${atEndpoint}/rotate-secret`, { body: {} })
      secrets.push(endpoint.secret.slice(6), rotated.secret.slice(6))
      shown.push((await call('POST', `${atEndpoint}/test`, { body: {} })).text)
      await call('PATCH', atEndpoint, { body: { url: `http://${canary}:${canary}@127.0.0.1:1/#${canary}` } })
      await call('PATCH', atEndpoint, { body: { types: [`x.${'y'.repeat(100)}`] } })
      const first = booking(nextTime())
      const booked = await book('good', first)
      t.equal(booked.status, 201)
      t.equal((await book('good', first)).headers['idempotent-replayed'], 'true')
      await until(
        () => call('GET', '/api/health'),
        ({ body }) => body.queues.inbox.last_webhook_at !== null && body.queues.inbox.waiting === 0
      )
      await call('GET', `/api/v1/bookings?invitee_email=${email}`)
      await control('POST', '/book', {
        event_type: meeting,
        email: `walk-in@${canary}.example`,
        name: canary
      })

      // What a caller does wrong.
      await book('good', booking(nextTime()))
      await book('taken', first)
      await book('refused', booking('2020-01-01T00:00:00Z'))
      await book(
        'refused',
        booking(nextTime(), { invitee: { name: canary, email: `@${email}`, timezone: canary } })
      )
      await book('refused', booking(nextTime(), { location: { kind: canary } }))
      await book('location', booking(nextTime(), { location: { kind: 'physical', location: canary } }))
      await book(
        'answers',
        booking(nextTime(), { questions_and_answers: [{ question: canary, answer: canary }] })
      )
      await book('refused', `{"invitee":{"email":"${email}"`)
      await call('GET', `/api/v1/bookings?invitee_email=${email}&limit=${canary}`)
      await call('GET', `/api/v1/bookings?authorization=${adminKey}`)
      await call('GET', '/api/v1/bookings', { key: `${canary}-unknown-key` })
      await call('GET', '/api/v1/caller-keys', { key: callerKey.key })
      await call('DELETE', `/api/v1/caller-keys/${callerKey.key}`)
      await call('GET', `/api/v1/bookings/${encodeURIComponent(email)}`)
      await call('GET', `/nowhere/${email}?token=${token}`)
      await call('PUT', `/api/v1/bookings?email=${email}`)
      await call('GET', `/api/v1/bookings/%ff${email}`)
      await call('POST', '/api/v1/bookings', { idempotencyKey: `${canary} ${canary}`, body: first })
      const head = `GET /?email=${email} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${adminKey}\r\n`
      shown.push(await sendRaw(address, `${head}content-length: x\r\n\r\n${email}`))
      shown.push(await sendRaw(address, `${head}x: ${canary.repeat(10_000)}\r\n\r\n`))

      // What Calendly does wrong, quoting what it was sent.
      const echo = {
        title: 'Fault',
        message: `${email} failed`,
        details: [{ message: email, parameter: email }]
      }
      for (const status of [400, 403, 404, 422, 429, 500, 502, 503]) {
        await fault('POST', '/invitees', { kind: 'status', status, body: echo })
        const answer = await service.call('POST', '/api/v1/bookings', {
          key: adminKey,
          idempotencyKey: `echo-${status}`,
          body: booking(nextTime())
        })
        // A refusal in Calendly's own words may quote the caller to itself; a failure says nothing.
        if (answer.status >= 500) shown.push(answer.text)
      }
      for (const kind of ['drop_before', 'drop_after', 'reset_after', 'truncate', 'malformed']) {
        await fault('POST', '/invitees', { kind })
        await book(`lost-${kind}`, booking(nextTime()))
        await fault('GET', '/event_types*', { kind, times: 3 })
        await call('GET', `/api/v1/availability?${query}&fresh=true`)
      }
      await fault('GET', '/event_type_available_times', { kind: 'status', status: 500, body: echo, times: 3 })
      await call('GET', `/api/v1/availability?${query}&fresh=true`)
      await control('DELETE', '/faults')
      await fault('GET', '/event_types/*', { kind: 'status', status: 500, body: echo, times: 3 })
      const unread = encodeURIComponent(standard.eventTypes.introCall)
      t.equal((await call('GET', `/api/v1/event-types/${unread}`)).status, 503)
      await fault('POST', '/scheduled_events/*/cancellation', { kind: 'status', status: 500, body: echo })
      const reason = { canceler_type: 'host', reason: `Because of ${canary}` }
      const cancel = (key: string) =>
        call('POST', `/api/v1/bookings/${booked.body.id}/cancel`, { idempotencyKey: key, body: reason })
      await cancel('cancel-1')
      await cancel('cancel-2')

      // Webhooks, good and bad.
      const message = webhookBody({ id: 'MESSAGE', payload: { email, name: canary } })
      await deliver(message, signatureOf(spareSigningKey, message))
      await deliver(message, signatureOf(`${canary}-wrong-key`, message))
      await deliver(message, `${canary},v1=${signatureOf(signingKey, message).slice(-64)}`)
      const stale = webhookBody({ id: 'STALE', payload: { email } })
      await deliver(stale, signatureOf(signingKey, stale, Date.now() - 3_600_000))
      await deliver(`{"email":"${email}"`, signatureOf(signingKey, `{"email":"${email}"`))
      const impossible = webhookBody({ id: 'IMPOSSIBLE', payload: { email, name: canary } })
      const told = impossible.replace(/"end_time":"[^"]+"/, '"end_time":"1969-01-01T00:00:00Z"')
      await deliver(told, signatureOf(signingKey, told))
      await until(
        () => call('GET', '/api/health'),
        () => lines.some((line) => line.includes('webhook failed'))
      )

      // What Stripe does wrong, quoting key and person, and what is sent in its name.
      async function deliverStripes(body: string, signature: string) {
        secrets.push(signature.slice(-64))
        const headers = { 'stripe-signature': signature }
        return call('POST', '/api/webhooks/stripe', { key: null, body, headers })
      }
      const event = stripeEvent({ email, name: canary })
      for (const status of [400, 401, 403, 429, 500]) {
        stripe.answerWith(status)
        const soFar = stripe.asked()
        t.equal((await deliverStripes(event, stripeSignatureOf(stripeSecret, event))).status, 204)
        await until(
          async () => stripe.asked(),
          (asked) => asked > soFar
        )
        await book(
          `paid-${status}`,
          booking(nextTime(), { payment: { provider: 'stripe', payment_intent: 'pi_1' } })
        )
        shown.push((await call('GET', '/api/health')).text)
      }
      await deliverStripes(event, stripeSignatureOf(spareStripeSecret, event))
      await deliverStripes(event, stripeSignatureOf(`whsec_${canary}3`, event))
      await deliverStripes(`{"email":"${email}"`, stripeSignatureOf(stripeSecret, `{"email":"${email}"`))
      await deliverStripes(event, `${canary},v1=${canary}`)

      // Keys that Calendly no longer takes.
      await control('POST', '/tokens/revoke', { token: 'first' })
      await call('GET', `/api/v1/availability?${query}&fresh=true`)
      await book('no-key', booking(nextTime()))
      for (const key of [adminKey, callerKey.key, null]) {
        for (const path of ['', '/live', '/ready', '/calendly'])
          await call('GET', `/api/health${path}`, { key })
        await call('GET', '/metrics', { key })
      }

      // A database that is gone.
      await app.database.close()
      await book('no-database', booking(nextTime()))
      await call('GET', `/api/v1/bookings?invitee_email=${email}`)
      await call('GET', '/api/v1/caller-keys', { key: `${canary}-another-key` })
      await deliver(message, signatureOf(signingKey, `${message}`))
      for (const path of ['', '/ready', '/calendly']) await call('GET', `/api/health${path}`)
      await call('GET', '/metrics')

      const leaks = (texts: readonly string[]) => [
        ...new Set(texts.filter((text) => secrets.some((secret) => text.includes(secret))))
      ]
      t.same(leaks(lines), [], 'log lines')
      t.same(leaks(shown), [], 'problems, health and metrics')
      for (const phrase of [
        'request completed',
        'request failed',
        'calendly answered',
        'calendly did not answer',
        'stripe was of no use'
      ]) {
        t.ok(
          lines.some((line) => line.includes(phrase)),
          `the story was told: ${phrase}`
        )
      }
      t.ok(shown.length > 40, `${shown.length} answers were looked at`)
    }
  )
}
