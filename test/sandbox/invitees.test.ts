import t from 'tap'
import { standard } from '../../src/sandbox/standard.ts'
import { as, meeting, start } from './support/client.ts'

const { consultation, introCall, workshop, studioVisit } = standard.eventTypes

const alreadyFilled = {
  title: 'Invalid Argument',
  message: 'The supplied parameters are invalid.',
  details: [
    {
      parameter: 'event.start_time',
      message: 'That start time has been filled',
      code: 'already_filled'
    }
  ]
}

const answers = [
  { question: 'Company name', answer: 'Example Ltd', position: 0 },
  { question: 'Phone Number', answer: '+49 30 1234567', position: 2 },
  { question: 'Team size', answer: '1-10', position: 3 }
]

const consulting = (change: Record<string, unknown> = {}) =>
  meeting('2026-11-23T10:00:00Z', {
    event_type: consultation,
    location: { kind: 'zoom_conference' },
    questions_and_answers: answers,
    ...change
  })

type Created = { resource: { uri: string; event: string } }

t.test('a booking answers with the invitee, and the event is there to be read', async (t) => {
  const { post, get } = await start(t)
  const { status, body } = await post<Created>('/invitees', meeting('2026-11-23T10:00:00Z'))
  t.equal(status, 201)
  t.match(body.resource, {
    status: 'active',
    name: 'Grace Example',
    first_name: null,
    timezone: 'Europe/Paris',
    scheduling_method: 'api',
    rescheduled: false,
    tracking: { utm_term: null },
    payment: null,
    no_show: null
  })
  t.match(await get(new URL(body.resource.event).pathname), {
    body: {
      resource: {
        uri: body.resource.event,
        status: 'active',
        start_time: '2026-11-23T10:00:00.000000Z',
        end_time: '2026-11-23T10:30:00.000000Z',
        location: { type: 'google_conference', status: 'processing', join_url: /google_meet$/ },
        invitees_counter: { total: 1, active: 1, limit: 1 },
        event_memberships: [{ user: standard.users.ada, user_email: 'ada@northwind.example' }]
      }
    }
  })
  t.strictSame((await get(new URL(body.resource.uri).pathname)).body, body)
})

t.test('ids come in the shape of the event type’s own', async (t) => {
  const { post } = await start(t)
  const modern = await post<Created>('/invitees', meeting('2026-11-23T08:00:00Z'))
  const old = await post<Created>('/invitees', consulting())
  t.match(modern.body.resource.event, /\/scheduled_events\/[0-9a-f-]{36}$/)
  t.match(old.body.resource.event, /\/scheduled_events\/[A-Z2-7]{16}$/)
})

t.test(
  'of 500 people who want one time at once, one gets it and 499 are told that it is filled',
  async (t) => {
    const { post, control } = await start(t)
    const attempts = await Promise.all(
      Array.from({ length: 500 }, (_, index) =>
        post(
          '/invitees',
          meeting('2026-11-23T10:00:00Z', {
            invitee: { name: 'Somebody', email: `somebody-${index}@example.com`, timezone: 'Etc/UTC' }
          })
        )
      )
    )
    t.equal(attempts.filter(({ status }) => status === 201).length, 1)
    const refused = attempts.filter(({ status }) => status === 400)
    t.equal(refused.length, 499)
    t.strictSame(refused[0]?.body, alreadyFilled)
    const { scheduled_events } = await control<{ scheduled_events: unknown[] }>('/state')
    t.equal(scheduled_events.length, 1)
  }
)

t.test('a group session takes as many at once as it has seats', async (t) => {
  const { post } = await start(t)
  const body = meeting('2026-11-23T10:00:00Z', {
    event_type: workshop,
    location: { kind: 'zoom_conference' }
  })
  const attempts = await Promise.all(Array.from({ length: 40 }, () => post<Created>('/invitees', body)))
  const seated = attempts.filter(({ status }) => status === 201)
  t.equal(seated.length, 5, 'the same person is let in twice, as at Calendly')
  t.equal(new Set(seated.map(({ body }) => body.resource.event)).size, 1)
})

t.test('a time outside the working hours is unavailable, not filled', async (t) => {
  const { post } = await start(t)
  t.strictSame((await post('/invitees', meeting('2026-11-22T10:00:00Z'))).body, {
    title: 'Invalid Argument',
    message: 'The supplied parameters are invalid.',
    details: [{ parameter: 'event.start_time', message: 'That time is unavailable' }]
  })
  t.match(await post('/invitees', meeting('2026-11-20T10:00:00Z')), { status: 400 }, 'in the past')
})

t.test('a location must be chosen from the configured kinds', async (t) => {
  const { post } = await start(t)
  const refusal = (part: string) => ({
    title: 'Invalid Argument',
    message: 'Specified location kind is not configured for this event type.',
    details: [
      {
        parameter: `event.location_configuration.${part}`,
        message: 'invalid location choice',
        code: 'invalid_location_choice'
      }
    ]
  })
  const book = async (location: unknown) => (await post('/invitees', consulting({ location }))).body
  t.strictSame(await book({ kind: 'google_conference' }), refusal('kind'))
  t.strictSame(await book(undefined), refusal('location'))
  t.match(await book({ kind: 'physical' }), {
    details: [{ parameter: 'location.location', message: 'is missing' }]
  })
  t.match(await book({ kind: 'physical', location: 'Torstrasse 1, Berlin' }), {
    resource: { status: 'active' }
  })
  t.match(
    await post('/invitees', meeting('2026-11-23T15:00:00Z', { event_type: introCall, location: undefined })),
    { status: 201 },
    'a type without locations needs none'
  )
})

t.test('answers are checked against the questions of the event type', async (t) => {
  const { post } = await start(t)
  const book = async (questions_and_answers: unknown) =>
    (await post('/invitees', consulting({ questions_and_answers }))).body
  const blank = { title: 'Invalid Argument', message: 'Required Questions and Answers cannot be blank.' }
  t.strictSame(await book(undefined), blank)
  t.strictSame(await book(answers.slice(1)), blank)
  t.strictSame(
    await book(answers.map((answer) => ({ ...answer, question: answer.question.toUpperCase() }))),
    blank
  )
  t.match(await book([]), { details: [{ parameter: 'questions_and_answers' }] })
  t.match(await book([{ answer: 'x', position: 0 }]), {
    details: [{ parameter: 'questions_and_answers[0].question', message: 'is missing' }]
  })
  const withAnswer = (question: string, answer: string) =>
    answers.map((one) => (one.question === question ? { ...one, answer } : one))
  t.match(await book(withAnswer('Phone Number', 'call me')), {
    details: [{ parameter: 'questions_and_answers', message: 'Phone Number is not a valid phone number' }]
  })
  t.match(await book(withAnswer('Team size', 'huge')), { details: [{ parameter: 'questions_and_answers' }] })
  t.match(await book([...answers, { question: 'Topics', answer: 'Pricing\nSomething else', position: 4 }]), {
    resource: { questions_and_answers: { length: 4 } }
  })
})

t.test('what is missing or malformed is named, and nothing is booked', async (t) => {
  const { post, control } = await start(t)
  const book = async (change: Record<string, unknown>) =>
    (await post('/invitees', meeting('2026-11-23T10:00:00Z', change))).body
  const person = { name: 'Grace', email: 'grace@example.com', timezone: 'Europe/Paris' }
  const naming = (parameter: string, message: string) => ({ details: [{ parameter, message }] })

  t.match(await book({ invitee: { ...person, email: undefined } }), naming('invitee.email', 'is missing'))
  t.match(await book({ invitee: { ...person, email: 'nobody' } }), naming('invitee.email', 'is invalid'))
  t.match(
    await book({ invitee: { ...person, timezone: 'Mars/Olympus' } }),
    naming('invitee.timezone', 'is not a valid time zone')
  )
  t.match(
    await book({ invitee: { ...person, name: undefined } }),
    naming('invitee', 'either name or first_name must be filled')
  )
  t.match(await book({ tracking: { utm_source: 'x' } }), {
    details: [
      { parameter: 'tracking.utm_campaign', message: 'is missing' },
      { parameter: 'tracking.utm_medium', message: 'is missing' },
      { parameter: 'tracking.utm_content', message: 'is missing' },
      { parameter: 'tracking.utm_term', message: 'is missing' },
      { parameter: 'tracking.salesforce_uuid', message: 'is missing' }
    ]
  })
  t.match(await book({ event_guests: Array(11).fill('g@example.com') }), naming('event_guests', 'is invalid'))
  t.match(await book({ idempotency_key: 'x' }), naming('idempotency_key', 'is not a documented parameter'))
  t.match(await control('/state'), { scheduled_events: { length: 0 } })
})

t.test('first and last name make the name', async (t) => {
  const { post } = await start(t)
  const invitee = { first_name: 'Grace', last_name: 'Example', email: 'g@example.com', timezone: 'Etc/UTC' }
  t.match(await post('/invitees', meeting('2026-11-23T10:00:00Z', { invitee })), {
    body: { resource: { name: 'Grace Example', first_name: 'Grace', last_name: 'Example' } }
  })
})

t.test('event types of others and of nobody cannot be booked', async (t) => {
  const { post } = await start(t)
  t.match(await post('/invitees', meeting('2026-11-23T02:00:00Z', { event_type: studioVisit })), {
    status: 403
  })
  t.match(await post('/invitees', meeting('2026-11-23T02:00:00Z', { event_type: `${studioVisit}x` })), {
    status: 404
  })
  t.match(await post('/invitees', meeting('2026-11-23T10:00:00Z'), as(standard.tokens.noah)), { status: 201 })
})

t.test('a body that is no JSON is refused', async (t) => {
  const { sandbox } = await start(t)
  const answer = await fetch(`${sandbox.url}/invitees`, {
    method: 'POST',
    headers: { ...as(sandbox.token), 'content-type': 'application/json' },
    body: '{"event_type":'
  })
  t.equal(answer.status, 400)
  t.match(await answer.json(), { title: 'Invalid Argument' })
})
