import t from 'tap'
import { engines } from '../support/database.ts'
import { type Answer, openService, type Service } from '../support/service.ts'
import { asked, availability, book, eventTypes, iso, slotsOf, untilStatus } from './support/client.ts'

const { thirtyMinutes, consultation, workshop, introCall } = eventTypes
const minuteMs = 60_000
const later = (time: string, minutes: number) =>
  iso(Date.parse(time) + minutes * minuteMs).replace('.000Z', 'Z')

type Excluded = { event_type: string; start_time: string; reasons: string[] }

function setOf({ call }: Service) {
  return (eventType: string, settings: Record<string, unknown>) =>
    call('PUT', `/api/v1/event-types/${encodeURIComponent(eventType)}/settings`, { body: settings })
}

function hold({ call }: Service, eventType: string, start: string): Promise<Answer> {
  return call('POST', '/api/v1/holds', { body: { event_type: eventType, start_time: start } })
}

/** What can be had of the event types, and why what Calendly offers besides cannot. */
async function look(service: Service, ...eventTypes: string[]) {
  const answer = await availability(service, { event_type: eventTypes, explain: true })
  const why = (start: string, eventType = eventTypes[0]) =>
    answer.body.excluded.find((one: Excluded) => one.start_time === start && one.event_type === eventType)
      ?.reasons
  const starts: string[] = slotsOf(answer).map(({ start_time }) => start_time)
  return { starts, why, excluded: answer.body.excluded as Excluded[], slots: slotsOf(answer) }
}

for (const engine of engines) {
  t.test(`availability less what is ours (${engine})`, async (t) => {
    const service = await openService(t, { engine })
    const { call, control } = service
    const set = setOf(service)

    t.test('what is held is left out for every event type of its host, until it is released', async (t) => {
      const { starts } = await look(service, thirtyMinutes, consultation)
      const start = starts[30] ?? ''
      const held = await hold(service, thirtyMinutes, start)
      t.equal(held.status, 201, held.text)
      const meanwhile = await look(service, thirtyMinutes, consultation)
      t.notOk(meanwhile.starts.includes(start))
      t.same(meanwhile.why(start), ['hold'])
      t.same(meanwhile.why(start, consultation), ['hold'])
      await call('DELETE', `/api/v1/holds/${held.body.id}`)
      t.ok((await look(service, thirtyMinutes)).starts.includes(start))
    })

    t.test('buffers keep the time around a booking free, on both sides, and say so', async (t) => {
      await set(introCall, { buffer_before_minutes: 10, buffer_after_minutes: 15 })
      const { starts } = await look(service, introCall)
      const start =
        starts.find((one) => [-60, -30, 30, 60].every((n) => starts.includes(later(one, n)))) ?? ''
      t.equal((await book(service, { event_type: introCall, start_time: start })).status, 201)
      const { starts: left, why } = await look(service, introCall)
      t.same(why(later(start, -30)), ['buffer'])
      t.same(why(later(start, 30)), ['buffer'])
      t.ok(left.includes(later(start, -60)))
      t.ok(left.includes(later(start, 60)))
      await set(introCall, {})
      const without = await look(service, introCall)
      t.same(without.why(later(start, 30)), ['buffer'], 'the booking keeps those it was made with')
    })

    t.test('what starts within the minimum notice is left out', async (t) => {
      const { starts } = await look(service, consultation)
      const [first = '', second = ''] = starts
      const notice = Math.ceil((Date.parse(second) - Date.now()) / minuteMs) - 5
      await set(consultation, { minimum_notice_minutes: notice })
      const after = await look(service, consultation)
      t.same(after.why(first), ['minimum_notice'])
      t.equal(after.starts[0], second)
      await set(consultation, {})
      t.same((await look(service, consultation)).starts, starts)
    })

    t.test('a day with its maximum is left out as a day of the owner’s zone', async (t) => {
      const dayOf = (start: string) =>
        new Intl.DateTimeFormat('sv-SE', { timeZone: 'America/New_York' }).format(new Date(start))
      const { starts } = await look(service, introCall)
      const start = starts.at(-30) ?? ''
      await set(introCall, { max_per_day: 2 })
      const first = await hold(service, introCall, start)
      t.equal(first.status, 201, first.text)
      t.ok((await look(service, introCall)).starts.some((one) => dayOf(one) === dayOf(start)))
      const next = (await look(service, introCall)).starts.find((one) => dayOf(one) === dayOf(start))
      t.equal((await book(service, { event_type: introCall, start_time: next })).status, 201)
      const full = await look(service, introCall)
      t.notOk(full.starts.some((one) => dayOf(one) === dayOf(start)))
      for (const { start_time, reasons } of full.excluded.filter((one) =>
        one.reasons.includes('max_per_day')
      )) {
        t.equal(dayOf(start_time), dayOf(start))
        t.same(reasons, start_time === start ? ['hold', 'max_per_day'] : ['max_per_day'])
      }
      await call('DELETE', `/api/v1/holds/${first.body.id}`)
      t.ok((await look(service, introCall)).starts.includes(start))
      await set(introCall, {})
    })

    t.test(
      'seats of a group are those that Calendly offers less those that it cannot have counted',
      async (t) => {
        const { slots } = await look(service, workshop)
        const start = slots[10].start_time
        const spots = async () =>
          (await look(service, workshop)).slots.find(({ start_time }) => start_time === start)
            ?.spots_remaining
        t.equal(await spots(), 5)
        const holds = [await hold(service, workshop, start), await hold(service, workshop, start)]
        t.equal(await spots(), 3)
        const booked = await book(service, {
          event_type: workshop,
          start_time: start,
          hold_id: holds[0]?.body.id
        })
        t.equal(booked.status, 201, booked.text)
        t.equal(await spots(), 3, 'the hold became a seat that Calendly counts')
        for (const _ of [1, 2, 3]) t.equal((await hold(service, workshop, start)).status, 201)
        t.equal(await spots(), undefined)
        t.same((await look(service, workshop)).why(start), ['hold'])
      }
    )

    t.test('a cancellation that was missed is found by the next who looks', async (t) => {
      const { body } = await book(service, { event_type: consultation, ...answers })
      t.equal(body.status, 'confirmed')
      await control('POST', '/cancel', { invitee: body.calendly.invitee, by: 'invitee', reason: 'ill' })
      t.match((await call('GET', `/api/v1/bookings/${body.id}`)).body, { status: 'confirmed' })
      const fresh = { event_type: consultation, fresh: true }
      const during = slotsOf(await availability(service, fresh))
      t.notOk(during.some(({ start_time }) => start_time === body.start_time))
      t.match(await untilStatus(service, body.id, 'canceled'), {
        cancellation: { canceler_type: 'invitee', reason: 'ill' }
      })
      const after = slotsOf(await availability(service, fresh))
      t.ok(after.some(({ start_time }) => start_time === body.start_time))
    })

    t.test('bookings that stand are not asked for', async (t) => {
      await control('DELETE', '/requests')
      await look(service, thirtyMinutes, consultation, introCall)
      t.same(await asked(service, 'GET', /^\/scheduled_events/), [])
    })
  })
}

const answers = {
  location: { kind: 'zoom_conference' },
  questions_and_answers: [
    { question: 'Company name', answer: 'Example', position: 0 },
    { question: 'Phone Number', answer: '+1 415 555 0100', position: 2 },
    { question: 'Team size', answer: '1-10', position: 3 }
  ]
}
