import t from 'tap'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'
import { asked, availability, book, eventTypes, freeTimes, read, slotsOf } from './support/client.ts'

const answers = [
  { question: 'Company name', answer: 'Example & Söhne', position: 0 },
  { question: 'Phone Number', answer: '+49 30 1234567', position: 2 },
  { question: 'Team size', answer: '11-100', position: 3 }
]
const consultation = {
  event_type: eventTypes.consultation,
  location: { kind: 'zoom_conference' },
  questions_and_answers: answers
}
const personal = (name: string) => ({
  name,
  email: `${name.toLowerCase()}@example.com`,
  timezone: 'Europe/Paris'
})

for (const engine of engines) {
  t.test(`bookings (${engine})`, async (t) => {
    const service = await openService(t, { engine })
    const { call, control } = service

    t.test('a booking answers everything that was asked for, and what Calendly made of it', async (t) => {
      const fields = {
        ...consultation,
        invitee: { name: 'Zoë Example', email: 'zoe@example.com', timezone: 'America/Los_Angeles' },
        location: { kind: 'physical', location: 'Torstrasse 1, Berlin' },
        tracking: { utm_source: 'newsletter', utm_term: 'a term of ours', salesforce_uuid: 'sf-1' },
        event_guests: ['guest@example.com'],
        session_id: 'session-7',
        metadata: { order: '4711' }
      }
      const booked = await book(service, fields)
      const nothing = { utm_campaign: null, utm_medium: null, utm_content: null }
      t.match(booked, {
        status: 201,
        body: {
          id: /^bkg_/,
          status: 'confirmed',
          event_type: eventTypes.consultation,
          invitee: { ...fields.invitee, first_name: null, last_name: null, text_reminder_number: null },
          hosts: [{ name: 'Ada Berger', email: 'ada@northwind.example' }],
          location: { type: 'physical', location: 'Torstrasse 1, Berlin', additional_info: 'Second floor' },
          join_url: null,
          session_id: 'session-7',
          metadata: { order: '4711' },
          calendly: {
            event: /\/scheduled_events\/[^/]+$/,
            invitee: /\/invitees\/[^/]+$/,
            cancel_url: /^https:\/\/calendly\.com\/cancellations\//,
            reschedule_url: /^https:\/\/calendly\.com\/reschedulings\//
          },
          payment: null,
          cancellation: null,
          change: null,
          no_show: false,
          source: 'api',
          created_at: /Z$/,
          updated_at: /Z$/
        }
      })
      const { body } = booked
      t.equal(Date.parse(body.end_time) - Date.parse(body.start_time), 1_800_000)
      t.same(body.questions_and_answers, answers)
      t.same(body.tracking, { ...nothing, ...fields.tracking })
      t.same(body.event_guests, ['guest@example.com'])
      t.same(body.reschedules, [])
      t.same((await read(service, body.id)).body, body)
    })

    t.test('its timeline tells everything that happened to it, in order', async (t) => {
      const { id } = (await book(service)).body
      const { status, body } = await call('GET', `/api/v1/bookings/${id}/timeline`)
      t.equal(status, 200)
      t.match(body.data, [
        { at: /Z$/, type: 'requested', detail: {} },
        { at: /Z$/, type: 'confirmed', detail: { calendly_invitee: /invitees/ } }
      ])
      t.equal(body.data.length, 2)
      t.ok(Date.parse(body.data[0].at) <= Date.parse(body.data[1].at))
    })

    t.test(
      'Calendly gets our id as utm_term among all six tracking keys, and every other field',
      async (t) => {
        const { body } = await book(service, {
          ...consultation,
          invitee: { first_name: 'Ada', last_name: 'Example', email: 'ada@example.com', timezone: 'UTC' },
          tracking: { utm_term: 'ours', utm_medium: 'mail' },
          event_guests: ['guest@example.com']
        })
        const [sent] = (await asked(service, 'POST', /^\/invitees$/)).slice(-1)
        t.same(sent.body.tracking, {
          utm_campaign: null,
          utm_source: null,
          utm_medium: 'mail',
          utm_content: null,
          utm_term: body.id,
          salesforce_uuid: null
        })
        t.match(sent.body, {
          event_type: eventTypes.consultation,
          start_time: new Date(body.start_time).toISOString(),
          invitee: { first_name: 'Ada', last_name: 'Example', email: 'ada@example.com', timezone: 'UTC' },
          location: { kind: 'zoom_conference' },
          questions_and_answers: answers,
          event_guests: ['guest@example.com']
        })
        t.equal(body.tracking.utm_term, 'ours')
      }
    )

    t.test(
      'a start may carry any offset, an event type be its last segment, a booking have no location',
      async (t) => {
        const [start = ''] = await freeTimes(service, eventTypes.introCall)
        const booked = await book(service, {
          event_type: eventTypes.introCall.slice(eventTypes.introCall.lastIndexOf('/') + 1),
          start_time: new Date(Date.parse(start) + 5.5 * 3_600_000).toISOString().replace('Z', '+05:30')
        })
        t.match(booked, {
          status: 201,
          body: { event_type: eventTypes.introCall, start_time: start, location: null }
        })
      }
    )

    t.test('invitees of a group event share a session until its seats are gone', async (t) => {
      const [start_time] = await freeTimes(service, eventTypes.workshop)
      const fields = { event_type: eventTypes.workshop, start_time }
      const names = ['Ann', 'Ben', 'Cid', 'Dot', 'Eve', 'Fay', 'Gus']
      const booked = await Promise.all(
        names.map((name) => book(service, { ...fields, invitee: personal(name) }))
      )
      const seated = booked.filter(({ status }) => status === 201)
      t.equal(seated.length, 5)
      t.equal(new Set(seated.map(({ body }) => body.calendly.event)).size, 1)
      t.equal(new Set(seated.map(({ body }) => body.calendly.invitee)).size, 5)
      const lost = booked.filter(({ status }) => status !== 201)
      t.match(lost, [
        { status: 409, body: { code: 'slot_unavailable' } },
        { status: 409, body: { code: 'slot_unavailable' } }
      ])
    })

    t.test('whoever comes too late is told of times that can really be booked', async (t) => {
      const first = await book(service)
      const { start_time, end_time } = first.body
      const late = await book(service, { start_time, invitee: personal('Late') })
      t.match(late, {
        status: 409,
        body: { code: 'slot_unavailable', conflicts: [{ kind: 'booking', start_time, end_time }] }
      })
      const { alternatives } = late.body
      t.ok(alternatives.length >= 1 && alternatives.length <= 5)
      t.ok(alternatives[0].reasons.includes('nearest'))
      for (const alternative of alternatives) {
        t.equal(Date.parse(alternative.local_start_time), Date.parse(alternative.start_time))
        t.match(alternative.local_start_time, /\+0[12]:00$/)
        const { event_type } = alternative
        t.equal((await book(service, { event_type, start_time: alternative.start_time })).status, 201)
      }
    })

    t.test('of many who want one slot at once exactly one gets it, and Calendly is asked once', async (t) => {
      const [start_time] = await freeTimes(service)
      await control('DELETE', '/requests')
      const all = await Promise.all(Array.from({ length: 25 }, () => book(service, { start_time })))
      t.same(all.map(({ status }) => status).sort(), [201, ...Array(24).fill(409)])
      t.equal((await asked(service, 'POST', /^\/invitees$/)).length, 1)
    })

    t.test("a host's time is one: another event type cannot have it either", async (t) => {
      const { start_time } = (await book(service)).body
      t.match(await book(service, { ...consultation, start_time }), {
        status: 409,
        body: { code: 'slot_unavailable', conflicts: [{ kind: 'booking', start_time }] }
      })
    })

    t.test('a time that Calendly has given away is a 409 too, and no longer offered', async (t) => {
      const [start_time] = await freeTimes(service)
      await control('POST', '/fill', { event_type: eventTypes.thirtyMinutes, start_time })
      const late = await book(service, { start_time })
      t.match(late, { status: 409, body: { code: 'slot_unavailable', conflicts: [{ start_time }] } })
      t.ok(late.body.alternatives.length > 0)
      const offered = slotsOf(await availability(service))
      t.notOk(offered.some((slot) => slot.start_time === start_time))
    })

    t.test('a time outside the working hours is no slot', async (t) => {
      const [start = ''] = await freeTimes(service)
      const start_time = `${start.slice(0, 11)}23:00:00Z`
      t.match(await book(service, { start_time }), {
        status: 409,
        body: { code: 'slot_unavailable', conflicts: [{ kind: 'outside_availability', start_time }] }
      })
    })

    t.test('a hold that does not exist is not found', async (t) => {
      t.match(await book(service, { hold_id: 'hld_none' }), { status: 404, body: { code: 'hold_not_found' } })
    })

    t.test('a booking that does not exist is not found, nor is its timeline', async (t) => {
      for (const path of ['bkg_none', 'bkg_none/timeline']) {
        t.match(await call('GET', `/api/v1/bookings/${path}`), {
          status: 404,
          body: { code: 'booking_not_found' }
        })
      }
    })

    t.test('Calendly is spoken to as it allows', async (t) => {
      t.same((await control('GET', '/violations')).violations, [])
    })
  })
}
