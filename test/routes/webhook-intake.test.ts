import t from 'tap'
import { standard } from '../../src/sandbox/standard.ts'
import { engines } from '../support/database.ts'
import { openService, until } from '../support/service.ts'
import { signatureOf, webhookBody } from '../support/webhook.ts'
import {
  asked,
  availability,
  bookings,
  deliver,
  eventTypes,
  everything,
  freeTimes,
  read,
  timelineOf,
  untilApplied,
  untilSubscribed,
  withheld
} from './support/client.ts'

const key = standard.signingKey
const minuteMs = 60_000

for (const engine of engines) {
  t.test(`the webhook intake (${engine})`, async (t) => {
    const service = await openService(t, {
      engine,
      webhooks: true,
      env: { CALENDLY_WEBHOOK_SIGNING_KEY_SECONDARY: 'the-key-before' }
    })
    const { call, control } = service
    await untilSubscribed(service)
    await control('POST', '/webhooks/mode', { withhold: true })
    const bookedBody = async () => {
      await control('POST', '/book', { event_type: eventTypes.thirtyMinutes })
      return String((await withheld(service)).at(-1))
    }
    const ofBody = async (body: string) => {
      const { uri } = JSON.parse(body).payload
      return (await bookings(service)).filter(({ calendly }) => calendly.invitee === uri)
    }

    t.test('a genuine delivery is acknowledged with nothing but a 204, and applied', async (t) => {
      const body = await bookedBody()
      t.match(await deliver(service, body), { status: 204, text: '' })
      await until(
        () => ofBody(body),
        (found) => found.length === 1
      )
      t.equal((await call('GET', '/api/health')).body.queues.inbox.dead, 0)
    })

    t.test('of many copies at once each is acknowledged and one counts', async (t) => {
      const body = await bookedBody()
      const answers = await Promise.all(Array.from({ length: 20 }, () => deliver(service, body)))
      t.ok(answers.every(({ status }) => status === 204))
      const [booking] = await until(
        () => ofBody(body),
        (found) => found.length > 0
      )
      await untilApplied(service)
      t.equal((await ofBody(body)).length, 1)
      t.same(await timelineOf(service, booking.id), ['recorded'])
      const { last_webhook_at } = (await call('GET', '/api/health/calendly')).body
      t.ok(Math.abs(Date.parse(last_webhook_at) - Date.now()) < minuteMs)
    })

    t.test('between the two halves of a reschedule the booking is moving, never canceled', async (t) => {
      const created = await bookedBody()
      await deliver(service, created)
      const [booking] = await until(
        () => ofBody(created),
        (found) => found.length === 1
      )
      const [start_time] = await freeTimes(service)
      await control('POST', '/reschedule', { invitee: booking.calendly.invitee, start_time })
      const [canceled = '', moved = ''] = (await withheld(service)).slice(-2)
      await deliver(service, canceled)
      await untilApplied(service)
      t.match((await read(service, booking.id)).body, {
        status: 'confirmed',
        cancellation: null,
        change: { kind: 'reschedule', state: 'pending' }
      })
      await deliver(service, moved)
      await untilApplied(service)
      t.match((await read(service, booking.id)).body, {
        status: 'confirmed',
        start_time,
        change: null,
        reschedules: [{ from: booking.start_time, to: start_time }]
      })
    })

    t.test(
      'what is stale is not believed but looked up: a booking since canceled is recorded as such',
      async (t) => {
        const body = await bookedBody()
        await control('POST', '/cancel', { invitee: JSON.parse(body).payload.uri, reason: 'Ill' })
        await deliver(service, body, signatureOf(key, body, Date.now() - 60 * minuteMs))
        const [booking] = await until(
          () => ofBody(body),
          (found) => found.length > 0
        )
        t.match(booking, { status: 'canceled', cancellation: { reason: 'Ill' } })
      }
    )

    t.test('the same bytes again, signed anew, are acknowledged and change nothing', async (t) => {
      const body = await bookedBody()
      await deliver(service, body)
      await until(
        () => ofBody(body),
        (found) => found.length === 1
      )
      const before = await everything(service)
      t.equal((await deliver(service, body, signatureOf(key, body, Date.now() - minuteMs))).status, 204)
      t.equal((await deliver(service, body, signatureOf(key, body, Date.now() - 60 * minuteMs))).status, 204)
      t.same(await everything(service), before)
    })

    t.test('the key before the present one still counts', async (t) => {
      const body = await bookedBody()
      t.equal((await deliver(service, body, signatureOf('the-key-before', body))).status, 204)
      await until(
        () => ofBody(body),
        (found) => found.length === 1
      )
    })

    const body = webhookBody({ id: 'FORGED' })
    const genuine = signatureOf(key, body)
    const v1 = genuine.slice(genuine.indexOf('v1='))
    const forged: [string, string | Buffer, string | null][] = [
      ['unsigned', body, null],
      ['signed with another key', body, signatureOf('another-key', body)],
      ['altered', body.replace('zoe@', 'eve@'), genuine],
      ['re-serialised', JSON.stringify(JSON.parse(body), null, 2), genuine],
      ['signed without its time', body, v1],
      ['signed for another time', body, `t=${Math.floor(Date.now() / 1000) - 1},${v1}`],
      ['signed twice over', body, `${genuine},t=1`],
      ['signed with nothing', body, 't=,v1='],
      ['signed with too few characters', body, genuine.slice(0, -1)],
      ['empty', '', genuine],
      ['too old and forged', body, signatureOf('another-key', body, Date.now() - 60 * minuteMs)]
    ]
    for (const [what, bytes, signature] of forged) {
      t.test(`a delivery that is ${what} is refused and leaves nothing behind`, async (t) => {
        const before = await everything(service)
        t.match(await deliver(service, bytes, signature), {
          status: 401,
          body: { code: 'invalid_signature' }
        })
        t.same(await everything(service), before)
      })
    }

    t.test('one for a path nobody has is refused, however well it is signed', async (t) => {
      const before = await everything(service)
      const answer = await call('POST', '/api/webhooks/calendly/no-such-slot', {
        key: null,
        body,
        headers: { 'calendly-webhook-signature': genuine }
      })
      t.match(answer, { status: 401, body: { code: 'invalid_signature' } })
      t.same(await everything(service), before)
    })

    t.test('one of more than 256 KB is refused', async (t) => {
      const before = await everything(service)
      const large = webhookBody({ id: 'LARGE', payload: { padding: 'x'.repeat(256 * 1024) } })
      t.match(await deliver(service, large), { status: 413, body: { code: 'body_too_large' } })
      t.same(await everything(service), before)
    })

    for (const [what, aheadMs] of [
      ['too old', -4 * minuteMs],
      ['from the future', 4 * minuteMs]
    ] as const) {
      t.test(`what is genuine but ${what} is read from Calendly instead, then acknowledged`, async (t) => {
        const body = await bookedBody()
        const signature = signatureOf(key, body, Date.now() + aheadMs)
        t.match(await deliver(service, body, signature), { status: 401, body: { code: 'invalid_signature' } })
        const acknowledged = await until(
          () => deliver(service, body, signature),
          ({ status }) => status !== 401
        )
        t.equal(acknowledged.status, 204)
        const [booking] = await ofBody(body)
        t.match(booking, { status: 'confirmed', source: 'webhook' })
        t.same(await timelineOf(service, booking.id), ['recorded'])
      })
    }

    t.test('what is stale and tells what Calendly does not know is never applied', async (t) => {
      const body = webhookBody({ id: 'INVENTED', eventType: eventTypes.thirtyMinutes })
      await deliver(service, body, signatureOf(key, body, Date.now() - 60 * minuteMs))
      await until(
        () => deliver(service, body, signatureOf(key, body, Date.now() - 60 * minuteMs)),
        ({ status }) => status === 204
      )
      t.same(await ofBody(body), [])
    })

    t.test('what is genuine but unreadable is kept aside, so that the subscription lives', async (t) => {
      const before = await bookings(service)
      for (const bytes of ['not json', '{}', '[]', '{"event":"invitee.created","payload":{}}', '\u0000']) {
        t.equal((await deliver(service, bytes)).status, 204, bytes)
      }
      t.same(await bookings(service), before)
    })

    t.test('an event of a kind we do not follow is acknowledged', async (t) => {
      const before = await bookings(service)
      const body = JSON.stringify({ event: 'routing_form_submission.created', payload: { uri: 'x' } })
      t.equal((await deliver(service, body)).status, 204)
      t.same(await bookings(service), before)
    })

    t.test('an event type that has changed is read again, with its times and the lists', async (t) => {
      const uri = eventTypes.consultation
      const paths = {
        type: new RegExp(`/event_types/${uri.split('/').at(-1)}$`),
        times: /^\/event_type_available_times$/,
        list: /^\/event_types$/
      }
      const readAll = async () => {
        await call('GET', `/api/v1/event-types/${encodeURIComponent(uri)}`)
        await call('GET', '/api/v1/event-types')
        await availability(service, { event_type: uri })
        const found = Object.values(paths).map((path) => asked(service, 'GET', path))
        return (await Promise.all(found)).map(({ length }) => length)
      }
      const first = await readAll()
      t.same(await readAll(), first, 'it was remembered')
      t.equal(
        (await deliver(service, JSON.stringify({ event: 'event_type.updated', payload: { uri } }))).status,
        204
      )
      await untilApplied(service)
      const after = await readAll()
      t.ok(
        after.every((count, index) => count > (first[index] ?? 0)),
        `${first} → ${after}`
      )
    })

    t.test('after all that nothing waits and nothing is dead', async (t) => {
      const health = await until(
        () => call('GET', '/api/health'),
        ({ body }) => body.queues.inbox.waiting === 0
      )
      t.equal(health.body.queues.inbox.dead, 0)
    })
  })
}
