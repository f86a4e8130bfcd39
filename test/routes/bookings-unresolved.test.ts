import { randomUUID } from 'node:crypto'
import t from 'tap'
import { request } from 'undici'
import { openSandbox } from '../../src/sandbox/sandbox.ts'
import { engines } from '../support/database.ts'
import { adminKey, openService, until } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import {
  asked,
  availability,
  book,
  bookingBody,
  bookings,
  eventTypes,
  freeTimes,
  read,
  timelineOf,
  toldOf,
  untilApplied,
  untilStatus,
  untilSubscribed
} from './support/client.ts'

const post = { method: 'POST', path: '/invitees' }
const hurried = { BOOKING_LOOKUP_SECONDS: '0.05', BOOKING_ABSENCE_SECONDS: '0.3' }

for (const engine of engines) {
  t.test(`bookings whose answer is lost (${engine})`, async (t) => {
    const system = movableSystem()
    const service = await openService(t, { engine, system, sandbox: { now: system.now }, env: hurried })
    const { address, call, control } = service
    const fail = (fault: Record<string, unknown>) =>
      control('POST', '/faults', { match: post, times: 1, ...fault })
    const posts = async () => (await asked(service, 'POST', /^\/invitees$/)).length

    t.test('the caller is told where to look and when, and finds it confirmed', async (t) => {
      await fail({ kind: 'drop_after' })
      const idempotencyKey = randomUUID()
      const body = await bookingBody(service)
      const lost = await book(service, body, { idempotencyKey })
      t.match(lost, {
        status: 202,
        headers: { location: `/api/v1/bookings/${lost.body.id}`, 'retry-after': /^[1-9]\d*$/ },
        body: { status: 'unknown', calendly: { event: null, invitee: null } }
      })
      const found = await until(
        () => call('GET', String(lost.headers.location)),
        ({ body }) => body.status === 'confirmed'
      )
      t.match(found.body.calendly, { event: /scheduled_events/, invitee: /invitees/ })
      t.equal(await posts(), 1)
      t.match(await timelineOf(service, lost.body.id), ['requested', 'outcome_unknown'])

      const again = await book(service, body, { idempotencyKey })
      t.match(again, {
        status: 202,
        text: lost.text,
        headers: { 'idempotent-replayed': 'true', location: String(lost.headers.location) }
      })
    })

    for (const [what, fault] of [
      ['reset', { kind: 'reset_after' }],
      ['cut short', { kind: 'truncate' }],
      ['spoiled', { kind: 'malformed' }],
      ['replaced by a proxy', { kind: 'status', status: 502, body: '<html>', processed: true }]
    ] as const) {
      t.test(`an answer that is ${what} leads to one booking, not to two`, async (t) => {
        const before = await posts()
        await fail(fault)
        const { status, body } = await book(service)
        t.equal(status, 202)
        await untilStatus(service, body.id, 'confirmed')
        t.equal(await posts(), before + 1)
      })
    }

    t.test('what Calendly never did is asked for once more after two looks, and confirmed', async (t) => {
      const before = await posts()
      await fail({ kind: 'status', status: 500 })
      const { status, body } = await book(service)
      t.equal(status, 202)
      await untilStatus(service, body.id, 'confirmed')
      t.equal(await posts(), before + 2)
    })

    t.test(
      'what Calendly never did and then gave to somebody else is rejected, its time given back',
      async (t) => {
        const [start_time] = await freeTimes(service)
        await fail({ kind: 'status', status: 500 })
        const { body } = await book(service, { start_time })
        await control('POST', '/fill', { event_type: eventTypes.thirtyMinutes, start_time })
        await untilStatus(service, body.id, 'rejected')
        const { excluded } = (await availability(service, { explain: true, fresh: true })).body
        t.notOk(excluded.some((each: { start_time: string }) => each.start_time === start_time))
      }
    )

    t.test('of two seats of one person each booking finds its own', async (t) => {
      const [start_time] = await freeTimes(service, eventTypes.workshop)
      const fields = { event_type: eventTypes.workshop, start_time }
      await fail({ kind: 'drop_after' })
      const lost = await book(service, fields)
      const second = await book(service, fields)
      t.match([lost.status, second.status], [202, 201])
      const found = await untilStatus(service, lost.body.id, 'confirmed')
      t.equal(found.calendly.event, second.body.calendly.event)
      t.not(found.calendly.invitee, second.body.calendly.invitee)
    })

    t.test('a caller that hangs up cancels nothing', async (t) => {
      await fail({ kind: 'latency', latency_ms: 500 })
      const body = await bookingBody(service, { session_id: 'hangs up' })
      const impatient = new AbortController()
      const sent = request(`${address}/api/v1/bookings`, {
        method: 'POST',
        signal: impatient.signal,
        headers: {
          authorization: `Bearer ${adminKey}`,
          'content-type': 'application/json',
          'idempotency-key': randomUUID()
        },
        body: JSON.stringify(body)
      })
      const mine = async () => (await bookings(service)).find(({ session_id }) => session_id === 'hangs up')
      const begun = await until(mine, (booking) => booking !== undefined)
      t.equal(begun.status, 'pending')
      impatient.abort()
      await t.rejects(sent)
      await untilStatus(service, begun.id, 'confirmed')
    })

    t.test('a booking in doubt for too long waits for a person, and keeps its time', async (t) => {
      await fail({ kind: 'drop_after' })
      await control('POST', '/faults', { match: { path: '/scheduled_events*' }, kind: 'status', status: 500 })
      const { body } = await book(service)
      t.equal(body.status, 'unknown')
      system.moveTo(system.now() + 901_000)
      await untilStatus(service, body.id, 'needs_attention')
      t.match(await timelineOf(service, body.id), ['requested', 'outcome_unknown'])
      t.equal((await timelineOf(service, body.id)).at(-1), 'needs_attention')
      t.equal((await book(service, { start_time: body.start_time })).status, 409)
      await control('DELETE', '/faults')
    })

    t.test('when no key is accepted nothing was done: 503, and the same key succeeds later', async (t) => {
      await control('POST', '/tokens/revoke')
      const body = await bookingBody(service)
      const idempotencyKey = randomUUID()
      t.match(await book(service, body, { idempotencyKey }), {
        status: 503,
        body: { code: 'calendly_unavailable' }
      })
      await control('POST', '/tokens/restore')
      t.match(await call('POST', '/api/v1/calendly/keys/primary/verify'), { body: { health: 'ok' } })
      const booked = await book(service, body, { idempotencyKey })
      t.match(booked, { status: 201, body: { status: 'confirmed' } })
      t.same((await read(service, booked.body.id)).body, booked.body)
    })
  })

  t.test(
    `when Calendly cannot be reached nothing was sent: 503, and the same key succeeds later (${engine})`,
    async (t) => {
      const first = await openSandbox()
      const service = await openService(t, { engine, sandbox: first })
      const body = await bookingBody(service)
      await book(service, { event_type: eventTypes.thirtyMinutes, start_time: (await freeTimes(service))[9] })
      const idempotencyKey = randomUUID()
      await first.close()
      t.match(await book(service, body, { idempotencyKey }), {
        status: 503,
        body: { code: 'calendly_unavailable' }
      })
      const second = await openSandbox({ port: Number(new URL(first.url).port) })
      t.teardown(() => second.close())
      t.match(await book(service, body, { idempotencyKey }), { status: 201, body: { status: 'confirmed' } })
    }
  )

  t.test(`webhooks for bookings of our own (${engine})`, async (t) => {
    const service = await openService(t, { engine, webhooks: true, env: { BOOKING_LOOKUP_SECONDS: '3600' } })
    const { control } = service
    await untilSubscribed(service)

    t.test('one confirms a booking whose answer is lost, before anybody looks', async (t) => {
      await control('POST', '/faults', { match: post, kind: 'drop_after', times: 1 })
      const { status, body } = await book(service)
      t.equal(status, 202)
      const found = await untilStatus(service, body.id, 'confirmed')
      t.match(found, { source: 'api', calendly: { invitee: /invitees/ }, tracking: { utm_term: null } })
      t.equal((await bookings(service)).length, 1)
    })

    t.test('one that overtakes the answer changes nothing about it', async (t) => {
      await control('POST', '/faults', { match: post, kind: 'slow_body', latency_ms: 1, times: 1 })
      const booked = await book(service, { session_id: 'overtaken' })
      await untilApplied(service)
      t.match(booked, { status: 201, body: { status: 'confirmed', source: 'api' } })
      const all = await bookings(service)
      t.equal(all.filter(({ calendly }) => calendly.invitee === booked.body.calendly.invitee).length, 1)
      const timeline = await timelineOf(service, booked.body.id)
      t.equal(timeline.filter((type) => type === 'confirmed').length, 1)
      t.same(await toldOf(service, booked.body.id), ['booking.confirmed'])
    })

    t.test("somebody else's booking does not become ours by carrying our id", async (t) => {
      await control('POST', '/faults', { match: post, kind: 'status', status: 500, times: 1 })
      const { body } = await book(service)
      const [, , other] = await freeTimes(service)
      const tracking = {
        utm_campaign: null,
        utm_source: null,
        utm_medium: null,
        utm_content: null,
        utm_term: body.id,
        salesforce_uuid: null
      }
      await control('POST', '/book', { event_type: eventTypes.thirtyMinutes, start_time: other, tracking })
      await untilApplied(service)
      t.equal((await read(service, body.id)).body.status, 'unknown')
      t.equal((await bookings(service)).filter(({ source }) => source === 'webhook').length, 1)
    })
  })
}
