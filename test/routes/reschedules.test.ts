import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { openService, type Service, until } from '../support/service.ts'
import {
  asked,
  book,
  bookings,
  cancel,
  eventTypes,
  freeTimes,
  hourMs,
  iso,
  read,
  timelineOf,
  untilApplied,
  untilSubscribed
} from './support/client.ts'

type Fields = Record<string, unknown>

function reschedule({ call }: Service, id: string, body: Fields, idempotencyKey: string = randomUUID()) {
  return call('POST', `/api/v1/bookings/${id}/reschedule`, { idempotencyKey, body })
}

/** A booking, and times that it could go to. */
async function booked(service: Service, fields: Fields = {}) {
  const { body } = await book(service, fields)
  const times = await freeTimes(service, body.event_type)
  return { id: body.id as string, booking: body, times }
}

const active = async ({ control }: Service) => {
  const { scheduled_events: events } = await control('GET', '/state')
  return events.filter(({ status }: { status: string }) => status === 'active')
}

for (const engine of engines) {
  t.test(`a reschedule on ${engine}`, async (t) => {
    const service = await openService(t, { engine, webhooks: true })
    await untilSubscribed(service)

    t.test('answers with the booking at its new time, and so does Calendly', async (t) => {
      const { id, booking, times } = await booked(service, {
        tracking: { utm_term: 'mine', utm_source: 'letter' },
        event_guests: ['guest@example.com'],
        metadata: { order: '4711' },
        session_id: 'session-1'
      })
      const [, , to] = times
      const answer = await reschedule(service, id, { start_time: to })
      t.equal(answer.status, 200)
      const { version, created_at, tracking, event_guests, metadata, session_id, invitee } = booking
      t.match(answer.body, {
        id,
        status: 'confirmed',
        start_time: to,
        change: null,
        reschedules: [{ from: booking.start_time, to }],
        ...{ created_at, tracking, event_guests, metadata, session_id, invitee },
        join_url: String
      })
      t.not(answer.body.join_url, booking.join_url)
      t.ok(answer.body.version > version)
      await untilApplied(service)
      const after = await read(service, id)
      t.match(after.body, {
        status: 'confirmed',
        start_time: to,
        reschedules: { length: 1 },
        cancellation: null
      })
      t.equal((await bookings(service)).length, 1, 'it is one booking to this day')
      t.same(
        (await active(service)).map(({ uri }: { uri: string }) => uri),
        [after.body.calendly.event]
      )
      t.same(
        (await timelineOf(service, id)).filter((type) => type === 'rescheduled' || type === 'canceled'),
        ['rescheduled']
      )
      await cancel(service, id)
      await untilApplied(service)
    })

    t.test('gives the old time back and keeps others from the new one', async (t) => {
      const { id, booking, times } = await booked(service)
      const [to] = times
      await reschedule(service, id, { start_time: to })
      t.equal((await book(service, { start_time: booking.start_time })).status, 201)
      const lost = await book(service, { start_time: to })
      t.match(lost, { status: 409, body: { code: 'slot_unavailable', conflicts: [{ kind: 'booking' }] } })
    })

    t.test('replays its answer under its key, and is done once', async (t) => {
      const { id, times } = await booked(service)
      const key = randomUUID()
      const before = (await asked(service, 'POST', /\/invitees$/)).length
      const [first, second] = [
        await reschedule(service, id, { start_time: times[1] }, key),
        await reschedule(service, id, { start_time: times[1] }, key)
      ]
      t.same(second.body, first.body)
      t.equal(second.headers['idempotent-replayed'], 'true')
      t.equal((await asked(service, 'POST', /\/invitees$/)).length - before, 1)
      t.match(await reschedule(service, id, { start_time: times[3] }, key), {
        status: 422,
        body: { code: 'idempotency_key_reused' }
      })
    })

    t.test('and a cancellation at the same time: one wins, the other is told honestly', async (t) => {
      for (let n = 0; n < 3; n++) {
        const { id, times } = await booked(service)
        const [moved, canceled] = await Promise.all([
          reschedule(service, id, { start_time: times[2] }),
          cancel(service, id)
        ])
        const { body } = await until(
          () => read(service, id),
          ({ body }) => body.change === null
        )
        const why = `${moved.status} ${canceled.status}`
        if (canceled.status === 200) {
          t.match([moved.body.code ?? moved.status, body.status], [/not_reschedulable|200/, 'canceled'], why)
        } else {
          t.match([moved.status, canceled.body.code, body.status], [200, 'not_cancelable', 'confirmed'], why)
        }
        if (body.status === 'confirmed') await cancel(service, id)
      }
    })

    t.test('of two at the same time is one', async (t) => {
      const { id, times } = await booked(service)
      const answers = await Promise.all([
        reschedule(service, id, { start_time: times[2] }),
        reschedule(service, id, { start_time: times[4] })
      ])
      const codes = answers.map(({ status, body }) => body.code ?? status)
      t.ok(codes.includes(200), codes.join())
      const { body } = await read(service, id)
      const done = codes.filter((code) => code === 200).length
      t.equal(body.reschedules.length, done)
      t.equal(
        (await active(service)).filter(({ uri }: { uri: string }) => uri === body.calendly.event).length,
        1
      )
      await cancel(service, id)
    })

    t.test('uses a hold of the new time, which nobody else can have meanwhile', async (t) => {
      const { id, times } = await booked(service)
      const [, , to] = times
      const hold = await service.call('POST', '/api/v1/holds', {
        idempotencyKey: randomUUID(),
        body: { event_type: eventTypes.thirtyMinutes, start_time: to }
      })
      t.equal(hold.status, 201)
      t.match(await reschedule(service, id, { start_time: to }), {
        status: 409,
        body: { code: 'slot_unavailable', conflicts: [{ kind: 'hold' }], alternatives: Array }
      })
      t.match(await reschedule(service, id, { start_time: times[4], hold_id: hold.body.id }), {
        status: 422,
        body: { code: 'hold_mismatch' }
      })
      t.match(await reschedule(service, id, { start_time: to, hold_id: 'hld_none' }), {
        status: 404,
        body: { code: 'hold_not_found' }
      })
      t.match(await reschedule(service, id, { start_time: to, hold_id: hold.body.id }), {
        status: 200,
        body: { start_time: to }
      })
      t.match(await service.call('GET', `/api/v1/holds/${hold.body.id}`), { body: { status: 'used' } })
      t.match(await reschedule(service, id, { start_time: times[4], hold_id: hold.body.id }), {
        status: 409,
        body: { code: 'hold_used' }
      })
    })

    t.test('that Calendly will not finish is taken back, and the hold is the caller’s again', async (t) => {
      const { id, booking, times } = await booked(service)
      const [, , start_time] = times
      const hold = await service.call('POST', '/api/v1/holds', {
        body: { event_type: eventTypes.thirtyMinutes, start_time }
      })
      const match = { method: 'POST', path: '/scheduled_events/*/cancellation' }
      await service.control('POST', '/faults', { match, times: 1, kind: 'status', status: 403 })
      t.match(await reschedule(service, id, { start_time, hold_id: hold.body.id }), {
        status: 409,
        body: { code: 'not_reschedulable', reschedule_url: booking.calendly.reschedule_url }
      })
      t.match(await service.call('GET', `/api/v1/holds/${hold.body.id}`), { body: { status: 'active' } })
      await untilApplied(service)
      t.match((await read(service, id)).body, {
        start_time: booking.start_time,
        status: 'confirmed',
        change: null
      })
      t.match(await reschedule(service, id, { start_time, hold_id: hold.body.id }), { status: 200 })
    })

    t.test('to times that touch gives up the old one first, when told to', async (t) => {
      const { id, booking } = await booked(service)
      const to = iso(Date.parse(booking.start_time) + hourMs / 4)
      t.match(await reschedule(service, id, { start_time: to }), {
        status: 409,
        body: { code: 'overlaps_itself', reschedule_url: booking.calendly.reschedule_url }
      })
      const answer = await reschedule(service, id, { start_time: to, cancel_first: true })
      if (answer.status === 200) t.match(answer.body, { start_time: to.replace('.000Z', 'Z') })
      else t.match(answer, { status: 409, body: { code: 'slot_unavailable' } })
      t.match((await read(service, id)).body, { status: 'confirmed', change: null })
    })

    t.test(
      'of a pool’s booking goes to the host whom Calendly names, and frees the one before',
      async (t) => {
        const { id, booking, times } = await booked(service, { event_type: eventTypes.teamCall })
        const start_time = times.find((time) => time > booking.end_time)
        t.match(await reschedule(service, id, { start_time }), {
          status: 200,
          body: { start_time, hosts: { length: 1 }, join_url: String }
        })
        await untilApplied(service)
        const { body } = await read(service, id)
        const [event] = (await active(service)).filter(
          ({ uri }: { uri: string }) => uri === body.calendly.event
        )
        t.ok(event)
        t.equal(body.hosts.length, 1)
        const free = await freeTimes(service, eventTypes.teamCall)
        t.ok(free.includes(booking.start_time))
        await cancel(service, id)
      }
    )

    t.test('of a seat that others share is refused, with where to go instead', async (t) => {
      const { id, booking, times } = await booked(service, { event_type: eventTypes.workshop })
      const other = await book(service, {
        event_type: eventTypes.workshop,
        start_time: booking.start_time,
        invitee: { name: 'Noa', email: 'noa@example.com', timezone: 'Europe/Paris' }
      })
      t.equal(other.status, 201)
      const to = times.find((time) => time !== booking.start_time)
      t.match(await reschedule(service, id, { start_time: to }), {
        status: 409,
        body: { code: 'group_event', reschedule_url: booking.calendly.reschedule_url }
      })
    })

    t.test('is refused for what it cannot be', async (t) => {
      const { id, booking, times } = await booked(service)
      const to = times[2]
      for (const [body, status, code] of [
        [{}, 400, 'validation_failed'],
        [{ start_time: to, extra: 1 }, 400, 'validation_failed'],
        [{ start_time: '2030-01-01T10:00:00' }, 400, 'local_time'],
        [{ start_time: '2020-01-01T10:00:00Z' }, 400, 'start_time_in_past'],
        [{ start_time: booking.start_time }, 409, 'not_reschedulable'],
        [{ start_time: iso(Date.parse(to ?? '') + 60_000) }, 409, 'slot_unavailable']
      ] as const) {
        t.match(await reschedule(service, id, body), { status, body: { code } }, JSON.stringify(body))
      }
      const bare = { body: { start_time: to } }
      t.match(await service.call('POST', `/api/v1/bookings/${id}/reschedule`, bare), {
        status: 400,
        body: { code: 'idempotency_key_required' }
      })
      t.match(await reschedule(service, 'bkg_none', { start_time: to }), {
        status: 404,
        body: { code: 'booking_not_found' }
      })
      t.match(await read(service, id), { body: { status: 'confirmed', start_time: booking.start_time } })
      await cancel(service, id)
      t.match(await reschedule(service, id, { start_time: to }), {
        status: 409,
        body: { code: 'not_reschedulable' }
      })
    })
  })
}
