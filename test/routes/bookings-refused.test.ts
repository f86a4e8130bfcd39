import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import { asked, book, bookings, eventTypes, freeTimes, timelineOf } from './support/client.ts'
import { hold, release } from './support/holds.ts'

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
    const { call, control } = service

    const [, ...incomplete] = answers
    const refusals: [what: string, fields: Record<string, unknown>, code: string, pointers: string[]][] = [
      [
        'a location the event type does not have',
        { location: { kind: 'webex_conference' } },
        'invalid_location',
        ['#/location/kind']
      ],
      ['no location where one is needed', { location: undefined }, 'invalid_location', ['#/location']],
      [
        'a location without its details',
        { location: { kind: 'outbound_call' } },
        'invalid_location',
        ['#/location/location']
      ],
      [
        'a required question left out',
        { questions_and_answers: incomplete },
        'missing_answer',
        ['#/questions_and_answers']
      ],
      [
        'a required answer left blank',
        { questions_and_answers: [{ ...answers[0], answer: ' ' }, ...incomplete] },
        'missing_answer',
        ['#/questions_and_answers/0/answer']
      ],
      [
        'an answer that is no phone number',
        { questions_and_answers: answers.with(1, { question: 'Phone Number', answer: 'none', position: 2 }) },
        'invalid_answer',
        ['#/questions_and_answers/1/answer']
      ],
      [
        'an answer that is no choice',
        { questions_and_answers: answers.with(2, { question: 'Team size', answer: 'Huge', position: 3 }) },
        'invalid_answer',
        ['#/questions_and_answers/2/answer']
      ],
      [
        'an answer to a question that nobody asks',
        { questions_and_answers: [...answers, { question: 'company name', answer: 'Example' }] },
        'invalid_answer',
        ['#/questions_and_answers/3/question']
      ],
      [
        'everything wrong at once',
        { location: { kind: 'custom' }, questions_and_answers: [{ ...answers[2], answer: 'Huge' }] },
        'invalid_location',
        [
          '#/location/kind',
          '#/questions_and_answers',
          '#/questions_and_answers',
          '#/questions_and_answers/0/answer'
        ]
      ]
    ]
    for (const [what, fields, code, pointers] of refusals) {
      t.test(`${what} is a 422 that names it, never reaches Calendly and takes no time`, async (t) => {
        const [start_time] = await freeTimes(service, eventTypes.consultation)
        await control('DELETE', '/requests')
        const refused = await book(service, { ...consultation, start_time, ...fields })
        t.match(refused, { status: 422, body: { code, detail: String } })
        t.same(
          refused.body.errors.map(({ pointer }: { pointer: string }) => pointer),
          pointers
        )
        t.same(await asked(service, 'POST', /^\/invitees$/), [])
        t.equal((await book(service, { ...consultation, start_time })).status, 201)
      })
    }

    t.test('more than ten guests are a 400', async (t) => {
      const event_guests = Array.from({ length: 11 }, (_, n) => `guest-${n}@example.com`)
      t.match(await book(service, { event_guests }), {
        status: 400,
        body: { code: 'validation_failed', errors: [{ pointer: '#/event_guests' }] }
      })
    })

    /** The event type as it was a moment ago; what is remembered of another moment is past its time. */
    async function rememberedAs(resource: Record<string, unknown>): Promise<void> {
      system.moveTo(system.now() + 120_000)
      await control('POST', '/faults', {
        match: { method: 'GET', path: '/event_types/*' },
        kind: 'alter',
        patch: { resource },
        times: 1
      })
      await call('GET', `/api/v1/event-types/${encodeURIComponent(eventTypes.consultation)}`)
    }

    t.test("what the host has changed meanwhile is refused in Calendly's own words", async (t) => {
      const [start_time] = await freeTimes(service, eventTypes.consultation)
      await rememberedAs({ custom_questions: [] })
      const refused = await book(service, { ...consultation, start_time, questions_and_answers: [] })
      t.match(refused, {
        status: 422,
        body: {
          code: 'missing_answer',
          detail: /cannot be blank/,
          errors: [{ pointer: '#/questions_and_answers' }]
        }
      })
    })

    t.test('what the host has allowed meanwhile is not refused', async (t) => {
      const [start_time] = await freeTimes(service, eventTypes.consultation)
      await rememberedAs({ locations: [{ kind: 'custom' }], custom_questions: [] })
      system.moveTo(system.now() + 10_000)
      t.equal((await book(service, { ...consultation, start_time })).status, 201)
    })

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

    t.test('an event type that was deleted meanwhile is not found, and nothing of it is kept', async (t) => {
      const goneAt = (method: string, path: string) =>
        control('POST', '/faults', {
          match: { method, path },
          kind: 'status',
          status: 404,
          body: { title: 'Resource Not Found' },
          times: 1
        })
      const missing = { status: 404, body: { code: 'event_type_not_found' } }
      const [start_time] = await freeTimes(service)
      await goneAt('POST', '/invitees')
      t.match(await book(service, { start_time }), missing)
      const held = await hold(service, { start_time })
      t.equal(held.status, 201)
      await goneAt('POST', '/invitees')
      t.match(await book(service, { start_time, hold_id: held.body.id }), missing)
      t.equal((await release(service, held.body.id)).status, 204)
      await goneAt('GET', '/event_type_available_times')
      t.match(await hold(service, { start_time }), missing)
      system.moveTo(system.now() + 120_000)
      await goneAt('GET', '/event_types/*')
      t.match(await hold(service, { start_time }), missing)
    })
  })
}
