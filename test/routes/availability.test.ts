import t from 'tap'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'
import {
  asked,
  availability,
  book,
  bookingBody,
  dayMs,
  eventTypes,
  freeTimes,
  hourMs,
  iso,
  slotsOf
} from './support/client.ts'

const { thirtyMinutes, consultation, workshop, introCall, studioVisit } = eventTypes

for (const engine of engines) {
  t.test(`availability (${engine})`, async (t) => {
    const service = await openService(t, { engine, env: { BOOKING_ABSENCE_SECONDS: '3600' } })
    const { call, control } = service
    const startsOf = async (query: Record<string, unknown>) =>
      slotsOf(await availability(service, query)).map(({ start_time }) => start_time)

    t.test(
      'half a year is asked for in windows that Calendly allows, and only once while fresh',
      async (t) => {
        await control('DELETE', '/requests')
        const start = Date.now() + 1_000
        const query = { start_time: iso(start), end_time: iso(start + 180 * dayMs) }
        const first = await availability(service, query)
        t.equal(first.status, 200)
        t.match(first.body, { timezone: 'Europe/Berlin', stale: false, as_of: /Z$/ })
        const months = new Set(first.body.days.map(({ date }: { date: string }) => date.slice(0, 7)))
        t.ok(months.size >= 6, `${months.size} months`)

        const windows = await asked(service, 'GET', /^\/event_type_available_times$/)
        t.ok(windows.length >= 6 && windows.length <= 7, `${windows.length} windows`)
        for (const { at, query } of windows) {
          const [from, to] = [Date.parse(query.start_time), Date.parse(query.end_time)]
          t.ok(from > Date.parse(at), 'a window starts in the future')
          t.ok(to > from && to - from <= 31 * dayMs, 'a window is not too long')
        }
        t.same((await availability(service, query)).body.days, first.body.days)
        t.equal((await asked(service, 'GET', /available_times/)).length, windows.length)
        t.same((await control('GET', '/violations')).violations, [])
      }
    )

    t.test('slots of several event types ascend by start, then by event type', async (t) => {
      const types = [workshop, introCall, consultation, thirtyMinutes, thirtyMinutes]
      const slots = slotsOf(await availability(service, { event_type: types }))
      const orders = slots.map(({ start_time, event_type }) => `${start_time} ${event_type}`)
      t.same(orders, [...new Set(orders)].sort())
      t.same(new Set(slots.map(({ event_type }) => event_type)), new Set(types))
    })

    t.test('a slot tells its end, its seats and where people book it', async (t) => {
      const [slot] = slotsOf(await availability(service, { event_type: workshop }))
      t.equal(Date.parse(slot.end_time) - Date.parse(slot.start_time), hourMs)
      t.match(slot, {
        spots_remaining: 5,
        scheduling_url: /^https:\/\/calendly\.com\/ada-berger\/workshop\//
      })
    })

    t.test('an event type may be its last segment or raw, a plus may be left unencoded', async (t) => {
      const wanted = await startsOf({ event_type: introCall })
      t.same(await startsOf({ event_type: introCall.slice(introCall.lastIndexOf('/') + 1) }), wanted)
      const [from, to] = [iso(Date.now() + 2 * dayMs), iso(Date.now() + 30 * dayMs)].map((at) =>
        at.replace('Z', '+00:00')
      )
      const raw = await call(
        'GET',
        `/api/v1/availability?event_type=${introCall}&start_time=${from}&end_time=${to}&timezone=UTC`
      )
      t.same(
        slotsOf(raw).map(({ start_time }) => start_time),
        wanted
      )
    })

    t.test('one unknown event type fails the whole', async (t) => {
      const twenty = Array.from({ length: 19 }, () => thirtyMinutes).concat('NOSUCHTYPE234567')
      for (const event_type of ['NOSUCHTYPE234567', [thirtyMinutes, 'NOSUCHTYPE234567'], twenty]) {
        t.match(await availability(service, { event_type }), {
          status: 404,
          body: { code: 'event_type_not_found' }
        })
      }
    })

    t.test("another organisation's event type is not offered", async (t) => {
      t.not((await availability(service, { event_type: studioVisit })).status, 200)
    })

    t.test('a start before now counts as now', async (t) => {
      const start_time = iso(Date.now() - 170 * dayMs)
      const answer = await availability(service, { start_time, end_time: iso(Date.now() + 20 * dayMs) })
      t.equal(answer.status, 200)
      const starts = slotsOf(answer).map(({ start_time }) => Date.parse(start_time))
      t.ok(starts.length > 0)
      t.ok(starts.every((start) => start > Date.now()))
    })

    t.test('a slot lies in the asked range: the start counts, the end does not', async (t) => {
      const [first, second, third] = await freeTimes(service)
      t.same(await startsOf({ start_time: first, end_time: third }), [first, second])
    })

    t.test('a time that Calendly no longer has is gone with fresh, whatever is remembered', async (t) => {
      const [first, second] = await freeTimes(service)
      await control('POST', '/fill', { event_type: thirtyMinutes, start_time: first })
      t.equal((await startsOf({}))[0], first)
      t.equal((await startsOf({ fresh: true }))[0], second)
      t.equal((await startsOf({}))[0], second)
    })

    t.test('seats that others took are no longer remaining', async (t) => {
      const [first] = await freeTimes(service, workshop)
      await control('POST', '/book', { event_type: workshop, start_time: first })
      t.match(slotsOf(await availability(service, { event_type: workshop, fresh: true }))[0], {
        start_time: first,
        spots_remaining: 4
      })
    })

    t.test('our own booking counts even where Calendly does not know it yet', async (t) => {
      await control('POST', '/faults', {
        match: { method: 'POST', path: '/invitees' },
        kind: 'status',
        status: 500,
        times: 1
      })
      const booked = await book(service, { start_time: (await freeTimes(service))[40] })
      t.match(booked, { status: 202, body: { status: 'unknown' } })
      const { start_time } = booked.body
      const explained = await availability(service, {
        event_type: [thirtyMinutes, consultation],
        explain: true,
        fresh: true
      })
      t.notOk(slotsOf(explained).some((slot) => slot.start_time === start_time))
      t.match(explained.body.excluded, [
        { event_type: thirtyMinutes, start_time, reasons: ['booking'] },
        { event_type: consultation, start_time, reasons: ['booking'] }
      ])
      t.notOk('excluded' in (await availability(service)).body)
      t.same((await availability(service, { event_type: introCall, explain: true })).body.excluded, [])
    })

    t.test('what we book or cancel ourselves shows at once', async (t) => {
      const before = await startsOf({})
      const body = await bookingBody(service, { start_time: before[3] })
      const booked = await call('POST', '/api/v1/bookings', { idempotencyKey: 'shows-at-once', body })
      t.equal(booked.status, 201)
      t.notOk((await startsOf({})).includes(before[3]))
      await call('POST', `/api/v1/bookings/${booked.body.id}/cancel`, {
        idempotencyKey: 'gone-at-once',
        body: { canceler_type: 'host' }
      })
      t.ok((await startsOf({})).includes(before[3]))
    })

    t.test('many who ask the same at once are one question to Calendly', async (t) => {
      const [from, to] = [iso(Date.now() + 2 * dayMs), iso(Date.now() + 3 * dayMs)]
      await control('POST', '/faults', {
        match: { path: '/event_type_available_times' },
        kind: 'latency',
        latency_ms: 200
      })
      await control('DELETE', '/requests')
      const query = { event_type: workshop, start_time: from, end_time: to }
      await availability(service, { ...query, fresh: true })
      const alone = (await asked(service, 'GET', /available_times/)).length
      await control('DELETE', '/requests')
      await book(service, { event_type: workshop })
      await control('DELETE', '/requests')
      await Promise.all(Array.from({ length: 20 }, () => availability(service, query)))
      t.equal((await asked(service, 'GET', /available_times/)).length, alone)
    })
  })
}
