import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import { book, bookings, eventTypes, freeTimes, timelineOf } from './support/client.ts'

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

for (const engine of engines) {
  t.test(`bookings that Calendly refuses (${engine})`, async (t) => {
    const system = movableSystem()
    const service = await openService(t, { engine, system, sandbox: { now: system.now } })
    const { control } = service

    const [, ...incomplete] = answers
    const refusals: [string, Record<string, unknown>, string, string][] = [
      [
        'a location the event type does not have',
        { location: { kind: 'webex_conference' } },
        'invalid_location',
        '#/location'
      ],
      ['no location where one is needed', { location: undefined }, 'invalid_location', '#/location'],
      [
        'a required question left out',
        { questions_and_answers: incomplete },
        'missing_answer',
        '#/questions_and_answers'
      ],
      [
        'a required answer left blank',
        { questions_and_answers: [{ ...answers[0], answer: ' ' }, ...incomplete] },
        'missing_answer',
        '#/questions_and_answers'
      ],
      [
        'an answer that is no phone number',
        { questions_and_answers: answers.with(1, { question: 'Phone Number', answer: 'none', position: 2 }) },
        'invalid_answer',
        '#/questions_and_answers'
      ],
      [
        'an answer that is no choice',
        { questions_and_answers: answers.with(2, { question: 'Team size', answer: 'Huge', position: 3 }) },
        'invalid_answer',
        '#/questions_and_answers'
      ]
    ]
    for (const [what, fields, code, pointer] of refusals) {
      t.test(`${what} is a 422 that names it, and takes no time from anybody`, async (t) => {
        const [start_time] = await freeTimes(service, eventTypes.consultation)
        const refused = await book(service, { ...consultation, start_time, ...fields })
        t.match(refused, { status: 422, body: { code, detail: String, errors: [{ pointer }] } })
        t.equal((await book(service, { ...consultation, start_time })).status, 201)
      })
    }

    t.test("a refusal in Calendly's own words is passed on as such", async (t) => {
      await control('POST', '/faults', {
        match: { method: 'POST', path: '/invitees' },
        kind: 'status',
        status: 403,
        body: { title: 'Permission Denied', message: 'Please upgrade to a paid Calendly account.' },
        times: 1
      })
      t.match(await book(service), { status: 422, body: { code: 'calendly_rejected', detail: /upgrade/ } })
    })

    t.test("Calendly's quota is an honest 429, after which the same key may succeed", async (t) => {
      await control('POST', '/faults', {
        match: { method: 'POST', path: '/invitees' },
        kind: 'rate_limit',
        limit: 10,
        reset_seconds: 42,
        times: 1
      })
      const [start_time] = await freeTimes(service)
      const idempotencyKey = randomUUID()
      const refused = await book(service, { start_time }, { idempotencyKey })
      t.match(refused, {
        status: 429,
        headers: { 'retry-after': '42' },
        body: { code: 'booking_quota_exhausted' }
      })
      t.equal((await book(service, { start_time }, { idempotencyKey })).status, 429)
      system.moveTo(system.now() + 42_000)
      t.equal((await book(service, { start_time }, { idempotencyKey })).status, 201)
    })

    t.test('a refused booking can be looked up, with the reason in its timeline', async (t) => {
      const [refused] = await bookings(service, 'status=rejected')
      t.match(refused, { status: 'rejected', calendly: { event: null, invitee: null } })
      t.same(await timelineOf(service, refused.id), ['requested', 'rejected'])
    })
  })
}
