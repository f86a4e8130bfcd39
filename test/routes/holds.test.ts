import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'
import { asked, availability, book, eventTypes, freeTimes, iso, slotsOf } from './support/client.ts'
import { expiredHold, hold, keyOf, loseAnswer, readHold, release } from './support/holds.ts'

const minuteMs = 60_000

for (const engine of engines) {
  t.test(`holds (${engine})`, async (t) => {
    const service = await openService(t, { engine })
    const { call } = service
    const stranger = await keyOf(service)

    t.test('a hold says what it keeps, and until when', async (t) => {
      const [start_time = ''] = await freeTimes(service)
      const before = Date.now()
      const held = await hold(service, { start_time })
      const { id, expires_at } = held.body
      t.equal(held.status, 201)
      t.match(id, /^hld_[0-9a-z]{26}$/)
      t.equal(held.headers.location, `/api/v1/holds/${id}`)
      t.strictSame(held.body, {
        id,
        event_type: eventTypes.thirtyMinutes,
        start_time,
        end_time: iso(Date.parse(start_time) + 30 * minuteMs).replace('.000', ''),
        status: 'active',
        expires_at
      })
      t.ok(Date.parse(expires_at) >= before + 5 * minuteMs, 'five minutes where nothing is said')
      t.ok(Date.parse(expires_at) <= Date.now() + 5 * minuteMs)
      t.same((await readHold(service, id)).body, held.body)
      t.equal((await release(service, id)).status, 204)
    })

    t.test('it lasts 30 to 900 seconds', async (t) => {
      for (const ttl_seconds of [30, 900]) {
        const held = await hold(service, { ttl_seconds })
        const lasts = Date.parse(held.body.expires_at) - Date.now()
        t.ok(lasts <= ttl_seconds * 1_000 && lasts > (ttl_seconds - 30) * 1_000)
        await release(service, held.body.id)
      }
      for (const ttl_seconds of [29, 901, 30.5, '60', null]) {
        t.match(await hold(service, { ttl_seconds, start_time: '2030-01-01T09:00:00Z' }), {
          status: 400,
          body: { code: 'validation_failed', errors: [{ pointer: '#/ttl_seconds' }] }
        })
      }
    })

    t.test('nobody else can hold, book or be offered what is held, its owner not twice', async (t) => {
      const held = (await hold(service)).body
      const { id, start_time, end_time } = held
      const refused = {
        status: 409,
        body: { code: 'slot_unavailable', conflicts: [{ kind: 'hold', start_time, end_time }] }
      }
      t.match(await hold(service, { start_time }, { key: stranger }), refused)
      t.match(await hold(service, { start_time }), refused)
      const late = await book(service, { start_time }, { key: stranger })
      t.match(late, refused)
      const [alternative] = late.body.alternatives
      t.equal((await book(service, { start_time: alternative.start_time })).status, 201)

      const explained = await availability(service, { explain: true })
      t.notOk(slotsOf(explained).some((slot) => slot.start_time === start_time))
      const excluded = explained.body.excluded.find((one: typeof held) => one.start_time === start_time)
      t.same(excluded.reasons, ['hold'])
      await release(service, id)
      t.ok(slotsOf(await availability(service)).some((slot) => slot.start_time === start_time))
    })

    t.test("a host's time is one: another event type cannot have it either", async (t) => {
      const { id, start_time } = (await hold(service)).body
      const other = { event_type: eventTypes.workshop, start_time: `${start_time.slice(0, 14)}00:00Z` }
      const { status, body } = await hold(service, other)
      t.equal(status, 409)
      t.match(
        body.conflicts.filter(({ kind }: { kind: string }) => kind === 'hold'),
        [{ start_time }]
      )
      t.equal((await release(service, id)).status, 204)
    })

    t.test('what ends as another begins is in nobody’s way', async (t) => {
      const times = await freeTimes(service)
      const next = (start: string) => iso(Date.parse(start) + 30 * minuteMs).replace('.000', '')
      const start_time = times.find((start) => times.includes(next(start))) ?? ''
      const first = await hold(service, { start_time })
      const second = await hold(service, { start_time: next(start_time) }, { key: stranger })
      t.same([first.status, second.status], [201, 201])
      await release(service, first.body.id)
      await release(service, second.body.id, { key: stranger })
    })

    t.test('its owner books with it, once', async (t) => {
      const { id, start_time } = (await hold(service)).body
      const booked = await book(service, { start_time, hold_id: id })
      t.match(booked, { status: 201, body: { status: 'confirmed', start_time } })
      t.match((await readHold(service, id)).body, { status: 'used' })
      const used = { status: 409, body: { code: 'hold_used' } }
      t.match(await book(service, { start_time, hold_id: id }), used)
      t.match(await release(service, id), used)
      const { body } = await call('GET', `/api/v1/bookings/${booked.body.id}/timeline`)
      t.match(body.data[0], { type: 'requested', detail: { hold_id: id } })
    })

    t.test('released, its time is free at once, and releasing it again harms nobody', async (t) => {
      const { id, start_time } = (await hold(service)).body
      t.equal((await release(service, id)).status, 204)
      t.match((await readHold(service, id)).body, { status: 'released' })
      t.match(await book(service, { start_time, hold_id: id }), { body: { code: 'hold_expired' } })
      const next = await hold(service, { start_time }, { key: stranger })
      t.equal(next.status, 201)
      t.equal((await release(service, id)).status, 204)
      t.match((await readHold(service, next.body.id, { key: stranger })).body, { status: 'active' })
      await release(service, next.body.id, { key: stranger })
    })

    t.test('expired, its time is free at once', async (t) => {
      const [start_time = ''] = await freeTimes(service)
      const id = await expiredHold(service, eventTypes.thirtyMinutes, start_time)
      t.match((await readHold(service, id)).body, { status: 'expired' })
      t.match(await book(service, { start_time, hold_id: id }), {
        status: 409,
        body: { code: 'hold_expired' }
      })
      t.equal((await release(service, id)).status, 204)
      t.equal((await book(service, { start_time }, { key: stranger })).status, 201)
    })

    t.test('to every other caller it does not exist', async (t) => {
      const { id, start_time } = (await hold(service)).body
      const missing = { status: 404, body: { code: 'hold_not_found' } }
      t.match(await readHold(service, id, { key: stranger }), missing)
      t.match(await release(service, id, { key: stranger }), missing)
      t.match(await book(service, { start_time, hold_id: id }, { key: stranger }), missing)
      t.match(await readHold(service, 'hld_none'), missing)
      t.match((await readHold(service, id)).body, { status: 'active' })
      await release(service, id)
    })

    t.test('another start or event type than it was made for is a mismatch', async (t) => {
      const { id, start_time } = (await hold(service)).body
      const [, another] = await freeTimes(service)
      const mismatch = { status: 422, body: { code: 'hold_mismatch' } }
      t.match(await book(service, { start_time: another, hold_id: id }), mismatch)
      const introCall = { event_type: eventTypes.introCall, start_time, hold_id: id }
      t.match(await book(service, introCall), mismatch)
      t.equal((await book(service, { start_time, hold_id: id })).status, 201)
    })

    t.test('what Calendly does not offer cannot be held', async (t) => {
      const [start = ''] = await freeTimes(service)
      const start_time = `${start.slice(0, 11)}23:00:00Z`
      t.match(await hold(service, { start_time }), {
        status: 409,
        body: {
          code: 'slot_unavailable',
          conflicts: [{ kind: 'outside_availability', start_time }],
          alternatives: [{ event_type: eventTypes.thirtyMinutes }]
        }
      })
      t.match(await hold(service, { start_time: '2020-01-01T10:00:00Z' }), {
        status: 400,
        body: { code: 'start_time_in_past' }
      })
      t.match(await hold(service, { event_type: 'NONE', start_time }), {
        status: 404,
        body: { code: 'event_type_not_found' }
      })
    })

    t.test('a repetition under its key makes no other hold', async (t) => {
      const idempotencyKey = randomUUID()
      const [start_time] = await freeTimes(service)
      const first = await hold(service, { start_time }, { idempotencyKey })
      const again = await hold(service, { start_time }, { idempotencyKey })
      t.equal(first.status, 201)
      t.match(again, {
        status: 201,
        text: first.text,
        headers: { 'idempotent-replayed': 'true', location: String(first.headers.location) }
      })
      t.match(await hold(service, { start_time, ttl_seconds: 60 }, { idempotencyKey }), {
        status: 422,
        body: { code: 'idempotency_key_reused' }
      })
      await release(service, first.body.id)
    })

    t.test('a retry after the process died answers with the hold that was made', async (t) => {
      const idempotencyKey = randomUUID()
      const [start_time] = await freeTimes(service)
      const { body } = await hold(service, { start_time }, { idempotencyKey })
      await loseAnswer(service, idempotencyKey, body.id)
      const again = await hold(service, { start_time }, { idempotencyKey })
      t.match(again, { status: 201, body })
      t.notOk('idempotent-replayed' in again.headers)
      await release(service, body.id)
    })

    t.test('so does the retry of a booking with a hold, and Calendly is asked once', async (t) => {
      const idempotencyKey = randomUUID()
      const { id, start_time } = (await hold(service)).body
      const posts = async () => (await asked(service, 'POST', /^\/invitees$/)).length
      const before = await posts()
      const booked = await book(service, { start_time, hold_id: id }, { idempotencyKey })
      await loseAnswer(service, idempotencyKey, booked.body.id)
      const again = await book(service, { start_time, hold_id: id }, { idempotencyKey })
      t.match(again, { status: 201, body: booked.body })
      t.equal(await posts(), before + 1)
    })

    t.test('reading one needs bookings:read, making or releasing one bookings:write', async (t) => {
      const { body } = await call('POST', '/api/v1/caller-keys', {
        body: { name: 'admin', scopes: ['bookings:read'] }
      })
      const { id } = (await hold(service)).body
      const reader = { key: body.key }
      t.equal((await readHold(service, id, reader)).status, 200)
      const refused = { status: 403, body: { code: 'insufficient_scope', detail: /bookings:write/ } }
      t.match(await release(service, id, reader), refused)
      t.match(await hold(service, { start_time: '2030-01-01T09:00:00Z' }, reader), refused)
      await release(service, id)
    })
  })
}
