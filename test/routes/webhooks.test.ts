import t from 'tap'
import { engines } from '../support/database.ts'
import { openService, until } from '../support/service.ts'
import {
  availability,
  book,
  bookings,
  cancel,
  deliver,
  eventTypes,
  freeTimes,
  read,
  slotsOf,
  timelineOf,
  toldOf,
  untilApplied,
  untilSubscribed,
  withheld
} from './support/client.ts'

const { thirtyMinutes, workshop } = eventTypes

for (const engine of engines) {
  t.test(`what people do on Calendly's own page (${engine})`, async (t) => {
    const service = await openService(t, { engine, webhooks: true })
    const { call, control } = service
    await untilSubscribed(service)
    const mode = (fields: Record<string, unknown> = {}) => control('POST', '/webhooks/mode', fields)
    const person = async (fields: Record<string, unknown> = {}) => {
      const made = await control('POST', '/book', { event_type: thirtyMinutes, ...fields })
      return made.invitee.uri as string
    }
    const ofInvitee = async (uri: string) =>
      (await bookings(service)).filter(({ calendly }) => calendly.invitee === uri)
    const only = async (uri: string) => {
      await untilApplied(service)
      const found = await ofInvitee(uri)
      if (found.length !== 1) throw new Error(`${found.length} bookings of ${uri}`)
      return found[0]
    }

    t.test('who books there is a booking here, with a time that is taken here too', async (t) => {
      const [, start_time] = await freeTimes(service)
      const invitee = await person({
        start_time,
        name: 'Iris Invitee',
        email: 'iris@example.com',
        timezone: 'Asia/Tokyo',
        event_guests: ['guest@example.com']
      })
      const booking = await only(invitee)
      t.match(booking, {
        id: /^bkg_/,
        status: 'confirmed',
        source: 'webhook',
        event_type: thirtyMinutes,
        start_time,
        invitee: { name: 'Iris Invitee', email: 'iris@example.com', timezone: 'Asia/Tokyo' },
        hosts: [{ name: 'Ada Berger', email: 'ada@northwind.example' }],
        join_url: /google_meet$/,
        event_guests: ['guest@example.com'],
        calendly: { invitee, cancel_url: /cancellations/, reschedule_url: /reschedulings/ },
        cancellation: null
      })
      t.same(await timelineOf(service, booking.id), ['recorded'])
      t.match(await book(service, { start_time }), {
        status: 409,
        body: { code: 'slot_unavailable', conflicts: [{ kind: 'booking', start_time }] }
      })
      t.notOk(slotsOf(await availability(service)).some((slot) => slot.start_time === start_time))
    })

    t.test('who cancels there is canceled here, by name, and the time is free again', async (t) => {
      for (const [by, canceled_by] of [
        ['invitee', 'Grace Example'],
        ['host', 'Ada Berger']
      ]) {
        const { body } = await book(service)
        await control('POST', '/cancel', { invitee: body.calendly.invitee, by, reason: 'Ill' })
        t.match(await only(body.calendly.invitee), {
          id: body.id,
          status: 'canceled',
          cancellation: { canceler_type: by, canceled_by, reason: 'Ill' }
        })
        t.equal((await book(service, { start_time: body.start_time })).status, 201)
      }
    })

    t.test("Calendly calls our cancellation the host's: our own word on who asked stands", async (t) => {
      const { body } = await book(service)
      await cancel(service, body.id, { canceler_type: 'invitee', reason: 'Plans changed' })
      t.match(await only(body.calendly.invitee), {
        status: 'canceled',
        cancellation: { canceler_type: 'invitee', canceled_by: 'Grace Example' }
      })
      t.equal((await timelineOf(service, body.id)).filter((type) => type === 'canceled').length, 1)
    })

    t.test(
      'a cancellation whose answer is lost is still ours when the webhook tells of it first',
      async (t) => {
        const { body } = await book(service)
        const match = { method: 'POST', path: '/scheduled_events/*/cancellation' }
        await control('POST', '/faults', { match, kind: 'slow_body', latency_ms: 3, times: 1 })
        const answer = await cancel(service, body.id, { canceler_type: 'system' })
        t.match(answer.body.booking.cancellation, { canceler_type: 'system', canceled_by: 'system' })
        t.match((await only(body.calendly.invitee)).cancellation, { canceler_type: 'system' })
        t.same(await toldOf(service, body.id), ['booking.confirmed', 'booking.canceled'])
      }
    )

    for (const reorder of [false, true]) {
      for (const origin of ['api', 'webhook'] as const) {
        const order = reorder ? 'created first' : 'canceled first'
        t.test(`a reschedule, ${order}, moves a booking from ${origin} and keeps its id`, async (t) => {
          const first = origin === 'api' ? (await book(service)).body.calendly.invitee : await person()
          const before = await only(first)
          const times = await freeTimes(service)
          const start_time = times.at(-5)
          await mode({ withhold: true, reorder })
          const moved = await control('POST', '/reschedule', { invitee: first, start_time })
          await control('POST', '/webhooks/release')
          const after = await only(moved.invitee.uri)
          await mode()
          t.match(after, {
            id: before.id,
            status: 'confirmed',
            start_time,
            change: null,
            cancellation: null,
            reschedules: [{ from: before.start_time, to: start_time }]
          })
          t.equal(after.reschedules.length, 1)
          t.same(await ofInvitee(first), [])
          t.equal((await timelineOf(service, after.id)).filter((type) => type === 'rescheduled').length, 1)
          t.equal((await book(service, { start_time: before.start_time })).status, 201)
          t.equal((await book(service, { start_time })).status, 409)
        })
      }
    }

    t.test('a booking moved twice and then canceled is one booking with its whole history', async (t) => {
      const { body } = await book(service)
      const times = await freeTimes(service)
      let invitee = body.calendly.invitee
      for (const start_time of [times.at(-10), times.at(-11)]) {
        invitee = (await control('POST', '/reschedule', { invitee, start_time })).invitee.uri
        await untilApplied(service)
      }
      await control('POST', '/cancel', { invitee })
      const last = await only(invitee)
      t.match(last, { id: body.id, status: 'canceled', start_time: times.at(-11) })
      t.match(last.reschedules, [
        { from: body.start_time, to: times.at(-10) },
        { from: times.at(-10), to: times.at(-11) }
      ])
    })

    t.test('a delivery that comes twice counts once', async (t) => {
      await mode({ duplicate: true })
      const invitee = await person()
      const booking = await only(invitee)
      await control('POST', '/cancel', { invitee })
      await untilApplied(service)
      await mode()
      t.equal((await read(service, booking.id)).body.version, booking.version + 1)
      t.same(await timelineOf(service, booking.id), ['recorded', 'canceled'])
    })

    t.test('a cancellation that comes before its booking revives nothing', async (t) => {
      await mode({ withhold: true, reorder: true })
      const [, , start_time] = await freeTimes(service)
      const invitee = await person({ start_time })
      await control('POST', '/cancel', { invitee, reason: 'Ill' })
      await control('POST', '/webhooks/release')
      const booking = await only(invitee)
      await mode()
      t.match(booking, { status: 'canceled', source: 'webhook', cancellation: { reason: 'Ill' } })
      t.equal((await book(service, { start_time })).status, 201)
    })

    t.test('of a group event each invitee is a booking of its own', async (t) => {
      const [start_time] = await freeTimes(service, workshop)
      const fields = { event_type: workshop, start_time }
      const seats = []
      for (const email of ['one@example.com', 'two@example.com'])
        seats.push(await person({ ...fields, email }))
      const ours = (await book(service, fields)).body
      await control('POST', '/cancel', { invitee: seats[0] })
      const found = [
        await only(String(seats[0])),
        await only(String(seats[1])),
        await only(ours.calendly.invitee)
      ]
      t.same(
        found.map(({ status }) => status),
        ['canceled', 'confirmed', 'confirmed']
      )
      t.equal(new Set(found.map(({ id }) => id)).size, 3)
      t.equal(new Set(found.map(({ calendly }) => calendly.event)).size, 1)
    })

    t.test('what Calendly reports over a booking of ours is recorded all the same', async (t) => {
      const body = (await book(service)).body
      await mode({ withhold: true })
      await control('POST', '/cancel', { invitee: body.calendly.invitee })
      const invitee = await person({ start_time: body.start_time })
      const created = (await withheld(service)).filter((text) => text.includes('"invitee.created"'))
      await Promise.all(created.map((text) => deliver(service, text)))
      const recorded = await only(invitee)
      t.match(recorded, { status: 'confirmed', start_time: body.start_time })
      t.ok((await timelineOf(service, recorded.id)).includes('overlap_found'))
      await mode()
      await control('POST', '/webhooks/release')
      await until(
        () => read(service, body.id),
        (answer) => answer.body.status === 'canceled'
      )
      t.equal((await only(invitee)).status, 'confirmed')
    })

    t.test('nothing of all that was left over, and Calendly was spoken to as it allows', async (t) => {
      t.match((await call('GET', '/api/health')).body.queues.inbox, { waiting: 0, dead: 0 })
      t.same((await control('GET', '/violations')).violations, [])
    })
  })
}
