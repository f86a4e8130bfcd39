import nock from 'nock'
import t from 'tap'
import type { InviteeRequest } from '../../src/core/calendly.ts'
import { createTestKeys } from '../support/keys.ts'
import { api, me, notFound, openTestClient, startOfTest, unauthenticated } from './fixtures/client.ts'

nock.disableNetConnect()
t.afterEach(() => nock.cleanAll())

const booking: InviteeRequest = {
  eventType: `${api}/event_types/A`,
  startTime: Date.parse('2026-12-01T15:00:00Z'),
  invitee: { name: 'Bob Guest', email: 'bob@example.com', timezone: 'America/Denver' },
  questionsAndAnswers: [],
  tracking: {},
  guests: []
}
const event = `${api}/scheduled_events/E1`
const booked = {
  uri: `${event}/invitees/I1`,
  event,
  status: 'active',
  name: 'Bob Guest',
  email: 'bob@example.com',
  timezone: 'America/Denver',
  cancel_url: 'https://calendly.com/cancellations/I1',
  created_at: '2026-11-22T12:00:30.123456Z',
  updated_at: '2026-11-22T12:00:30.123456Z'
}
const posting = (body?: nock.RequestBodyMatcher) => nock(api).post('/invitees', body)
const invalid = (message: string, details?: object[]) => ({ title: 'Invalid Argument', message, details })

t.test('a plain booking sends nothing that was not given', async (t) => {
  const { calendly } = openTestClient()
  const sent = posting({
    event_type: booking.eventType,
    start_time: '2026-12-01T15:00:00.000Z',
    invitee: { name: 'Bob Guest', email: 'bob@example.com', timezone: 'America/Denver' }
  }).reply(201, { resource: booked })
  t.match(await calendly.createInvitee(booking), {
    kind: 'done',
    invitee: { uri: booked.uri, event, cancelUrl: booked.cancel_url, createdAt: startOfTest + 123 }
  })
  t.ok(sent.isDone())
})

t.test('a full booking sends everything, and all six tracking keys', async (t) => {
  const { calendly } = openTestClient()
  const sent = posting({
    event_type: booking.eventType,
    start_time: '2026-12-01T15:00:00.000Z',
    invitee: {
      first_name: 'Bob',
      last_name: 'Guest',
      email: 'bob@example.com',
      timezone: 'America/Denver',
      text_reminder_number: '+14155551234'
    },
    location: { kind: 'physical', location: 'Room 1' },
    questions_and_answers: [{ question: 'Which?', answer: 'This', position: 0 }],
    tracking: {
      utm_campaign: null,
      utm_source: 'newsletter',
      utm_medium: null,
      utm_content: null,
      utm_term: 'bkg_1',
      salesforce_uuid: null
    },
    event_guests: ['guest@example.com']
  }).reply(201, { resource: booked })
  const { email, timezone } = booking.invitee
  await calendly.createInvitee({
    ...booking,
    invitee: { firstName: 'Bob', lastName: 'Guest', email, timezone, textReminderNumber: '+14155551234' },
    location: { kind: 'physical', location: 'Room 1' },
    questionsAndAnswers: [{ question: 'Which?', answer: 'This', position: 0 }],
    tracking: { utmSource: 'newsletter', utmTerm: 'bkg_1' },
    guests: ['guest@example.com']
  })
  t.ok(sent.isDone())
})

t.test('an answer with a readable URI is a booking, however little else it says', async (t) => {
  const { calendly } = openTestClient()
  posting().reply(201, { resource: { uri: booked.uri, status: 'brand-new' } })
  t.match(await calendly.createInvitee(booking), {
    kind: 'done',
    invitee: {
      uri: booked.uri,
      event,
      status: 'active',
      email: 'bob@example.com',
      name: 'Bob Guest',
      createdAt: startOfTest
    }
  })
})

t.test("Calendly's refusals are told apart", async (t) => {
  const start = 'event.start_time'
  const refusals = [
    [
      invalid('The supplied parameters are invalid.', [
        { parameter: start, message: 'That start time has been filled', code: 'already_filled' }
      ]),
      'already_filled',
      start
    ],
    [invalid('That time is unavailable'), 'already_filled'],
    [invalid('Invalid.', [{ message: 'start_time is no longer available' }]), 'already_filled'],
    [invalid('The event is at capacity'), 'already_filled'],
    [
      invalid('Specified location kind is not configured for this event type.', [
        {
          parameter: 'event.location_configuration.kind',
          message: 'invalid location choice',
          code: 'invalid_location_choice'
        }
      ]),
      'invalid_location',
      'event.location_configuration.kind'
    ],
    [invalid('Required Questions and Answers cannot be blank.'), 'missing_answer'],
    [invalid('questions_and_answers[0].question: is missing'), 'invalid_answer'],
    [
      invalid('The supplied parameters are invalid.', [
        { parameter: 'questions_and_answers', message: 'Phone Number is not a valid phone number' }
      ]),
      'invalid_answer',
      'questions_and_answers'
    ],
    [
      invalid('The supplied parameters are invalid.', [
        { parameter: 'tracking.utm_content', message: 'is missing' }
      ]),
      'rejected',
      'tracking.utm_content'
    ],
    [
      invalid('The supplied parameters are invalid.', [
        { parameter: 'start_time', message: 'start_time must be in the future' }
      ]),
      'rejected',
      'start_time'
    ],
    [undefined, 'rejected']
  ] as const
  for (const [body, reason, parameter] of refusals) {
    const { calendly } = openTestClient()
    posting().reply(400, body)
    const outcome = await calendly.createInvitee(booking)
    t.match(outcome, { kind: 'refused', refusal: { reason, parameter } }, body?.message ?? 'no body')
    t.ok(outcome.kind === 'refused' && outcome.refusal.detail.length > 0)
  }
})

t.test('every status that means "not done" is a refusal', async (t) => {
  for (const [status, reason] of [
    [403, 'rejected'],
    [404, 'not_found'],
    [409, 'already_filled'],
    [422, 'rejected'],
    [429, 'quota']
  ] as const) {
    const { calendly } = openTestClient()
    posting().reply(status, { title: 'x', message: 'y' }, { 'x-ratelimit-reset': '42' })
    const retryAfterMs = status === 429 ? 42_000 : undefined
    t.match(
      await calendly.createInvitee(booking),
      { kind: 'refused', refusal: { reason, retryAfterMs } },
      `${status}`
    )
  }
})

t.test('what may have happened is ambiguous, and never asked twice', async (t) => {
  const answers: [number, nock.Body | undefined][] = [
    [500, {}],
    [502, '<html>'],
    [503, {}],
    [504, ''],
    [408, {}],
    [302, ''],
    [201, ''],
    [201, 'null'],
    [201, '{"resource":{"uri":"https://api.cal'],
    [201, { resource: {} }],
    [201, { resource: { uri: 'elsewhere' } }],
    [201, '<html>done</html>']
  ]
  for (const [status, body] of answers) {
    const client = openTestClient()
    const sent = posting().reply(status, body)
    const again = posting().reply(201, { resource: booked })
    t.match(await client.calendly.createInvitee(booking), { kind: 'ambiguous' }, `${status} ${body}`)
    t.ok(sent.isDone() && !again.isDone())
    t.same(client.slept, [])
    nock.cleanAll()
  }
})

t.test('a refused key books with the next one; without any, nothing was done', async (t) => {
  const primary = { name: 'primary', token: 'token-of-primary' }
  const secondary = { name: 'secondary', token: 'token-of-secondary' }
  const { calendly } = openTestClient({ keys: createTestKeys(primary, secondary).source })
  const from = ({ token }: { token: string }) =>
    nock(api, { reqheaders: { authorization: `Bearer ${token}` } })
  const refusing = (key: { token: string }) =>
    from(key).post('/invitees').reply(401, unauthenticated).get('/users/me').reply(401, unauthenticated)
  refusing(primary)
  from(secondary).post('/invitees').reply(201, { resource: booked })
  t.match(await calendly.createInvitee(booking), { kind: 'done' })
  refusing(secondary)
  for (const _ of ['found out', 'known']) {
    t.match(await calendly.createInvitee(booking), {
      kind: 'not_done',
      retryAfterMs: 10_000,
      cause: { code: 'calendly_unavailable' }
    })
  }
  t.match(await openTestClient({ keys: createTestKeys().source }).calendly.createInvitee(booking), {
    kind: 'not_done',
    detail: 'No Calendly credential is configured'
  })
})

const limitOf = (limit: number, remaining: number, resetSeconds: number) => ({
  'x-ratelimit-limit': `${limit}`,
  'x-ratelimit-remaining': `${remaining}`,
  'x-ratelimit-reset': `${resetSeconds}`
})

t.test('our own quota of bookings refuses before Calendly is asked, with an honest time', async (t) => {
  const bookingLimits = [{ limit: 2, windowMs: 60_000 }]
  const client = openTestClient({ bookingLimits })
  const sent = posting().times(3).reply(201, { resource: booked })
  await client.calendly.createInvitee(booking)
  client.pass(20_000)
  await client.calendly.createInvitee(booking)
  t.match(await client.calendly.createInvitee(booking), {
    kind: 'refused',
    refusal: { reason: 'quota', retryAfterMs: 40_000 }
  })
  t.notOk(sent.isDone())
  client.pass(40_000)
  t.match(await client.calendly.createInvitee(booking), { kind: 'done' })
  t.match(await client.calendly.quotas(), [
    { user: `${api}/users/U1`, bookings: [{ limit: 2, windowMs: 60_000, used: 2 }] }
  ])
})

t.test('what a refused key was sent with uses up no booking', async (t) => {
  const { calendly } = openTestClient({ bookingLimits: [{ limit: 1, windowMs: 60_000 }] })
  posting().reply(401, unauthenticated)
  nock(api).get('/users/me').reply(200, me)
  posting().reply(201, { resource: booked })
  t.match(await calendly.createInvitee(booking), { kind: 'done' })
})

t.test("Calendly's quota of bookings leaves the user its other calls", async (t) => {
  const client = openTestClient()
  const read = () => client.calendly.findEvent(event)
  nock(api)
    .get('/scheduled_events/E1')
    .times(2)
    .reply(404, notFound, limitOf(500, 400, 60))
  await read()
  posting().reply(429, {}, limitOf(100, 0, 3_600))
  t.match(await client.calendly.createInvitee(booking), {
    kind: 'refused',
    refusal: { reason: 'quota', retryAfterMs: 3_600_000 }
  })
  await read()
  t.equal(client.calendly.health().keys[0]?.health, 'ok')
  t.match(await client.calendly.createInvitee(booking), {
    kind: 'refused',
    refusal: { reason: 'quota', retryAfterMs: 3_600_000 }
  })
  t.match(client.calendly.health().requests, { 'POST /invitees': { count: 1 } }, 'and is not asked again')
})

t.test('a throttled booking waits if its deadline allows, since nothing was executed', async (t) => {
  const client = openTestClient()
  posting().reply(429, {}, limitOf(500, 0, 9))
  posting().reply(201, { resource: booked })
  t.match(await client.calendly.createInvitee(booking), { kind: 'done' })
  t.same(client.slept, [9_000])

  posting().reply(429, {}, limitOf(500, 0, 10))
  t.match(
    await client.calendly.createInvitee(booking),
    { kind: 'refused', refusal: { reason: 'quota', retryAfterMs: 10_000 } },
    'five seconds are left for the booking itself, which must not be cut off'
  )
  t.equal(client.calendly.health().keys[0]?.health, 'cooling')
  t.match(await client.calendly.createInvitee(booking), { kind: 'not_done', retryAfterMs: 10_000 })
})

t.test('whatever came of it, available times are asked for again', async (t) => {
  for (const status of [201, 409, 500]) {
    const { calendly } = openTestClient()
    const reads = nock(api)
      .get('/event_type_available_times')
      .query(true)
      .times(2)
      .reply(200, { collection: [] })
    posting().reply(status, { resource: booked })
    const range = { eventType: booking.eventType, startTime: startOfTest, endTime: startOfTest + 3_600_000 }
    await calendly.availableTimes(range)
    await calendly.createInvitee(booking)
    await calendly.availableTimes(range)
    t.ok(reads.isDone(), `${status}`)
    nock.cleanAll()
  }
})

const canceling = (body?: nock.RequestBodyMatcher) =>
  nock(api).post('/scheduled_events/E1/cancellation', body)

t.test('a cancellation carries its reason and says who Calendly thinks did it', async (t) => {
  const { calendly } = openTestClient()
  canceling({ reason: 'ill' }).reply(201, {
    resource: {
      canceled_by: 'Ada Host',
      reason: 'ill',
      canceler_type: 'host',
      created_at: '2026-11-22T12:01:00.000000Z'
    }
  })
  t.same(await calendly.cancelEvent(event, 'ill'), {
    kind: 'done',
    cancellation: {
      canceledBy: 'Ada Host',
      reason: 'ill',
      cancelerType: 'host',
      createdAt: Date.parse('2026-11-22T12:01:00Z')
    }
  })
  const bare = canceling({}).reply(201, { resource: { canceled_by: 'Ada Host', canceler_type: 'host' } })
  t.match(await calendly.cancelEvent(event), { kind: 'done', cancellation: { cancelerType: 'host' } })
  t.ok(bare.isDone())
})

t.test('an event tells the widest buffers of its hosts', async (t) => {
  const [start_time, end_time] = ['2026-12-01T15:00:00Z', '2026-12-01T15:30:00Z']
  const read = (...event_memberships: unknown[]) => {
    nock(api)
      .get('/scheduled_events/E1')
      .reply(200, { resource: { uri: event, status: 'active', start_time, end_time, event_memberships } })
    return openTestClient().calendly.findEvent(event)
  }
  const one = { user: `${api}/users/1`, buffered_start_time: '2026-12-01T14:50:00Z' }
  const other = { user: `${api}/users/2`, buffered_end_time: '2026-12-01T15:45:00Z' }
  t.match(await read(one, other), {
    hosts: [{ user: one.user }, { user: other.user }],
    buffers: { beforeMs: 600_000, afterMs: 900_000 }
  })
  t.match(await read({ user: one.user }), { buffers: { beforeMs: 0, afterMs: 0 } })
})

t.test('a canceled event is not served from memory', async (t) => {
  const { calendly } = openTestClient()
  const times = { start_time: '2026-12-01T15:00:00Z', end_time: '2026-12-01T15:30:00Z' }
  const read = (status: string) =>
    nock(api)
      .get('/scheduled_events/E1')
      .reply(200, { resource: { uri: event, status, ...times } })
  read('active')
  t.match(await calendly.findEvent(event), { status: 'active' })
  canceling().reply(201, { resource: {} })
  await calendly.cancelEvent(event)
  read('canceled')
  t.match(await calendly.findEvent(event), { status: 'canceled' })
})

t.test('a cancellation refused, not done or unknown is told as such', async (t) => {
  const denied = (message: string) => ({ title: 'Permission Denied', message })
  const cases = [
    [403, denied('Event is already canceled'), { kind: 'refused', reason: 'already_canceled' }],
    [403, denied('Event in the past'), { kind: 'refused', reason: 'past' }],
    [403, denied('You are not allowed to cancel this event'), { kind: 'refused', reason: 'not_allowed' }],
    [404, notFound, { kind: 'refused', reason: 'not_found' }],
    [400, denied('No.'), { kind: 'refused', reason: 'not_allowed' }],
    [429, {}, { kind: 'not_done', retryAfterMs: 42_000 }],
    [401, unauthenticated, { kind: 'not_done' }],
    [500, {}, { kind: 'ambiguous' }],
    [201, 'null', { kind: 'ambiguous' }]
  ] as const
  for (const [status, body, outcome] of cases) {
    const { calendly } = openTestClient()
    canceling().reply(status, body, { 'x-ratelimit-reset': '42' })
    t.match(await calendly.cancelEvent(event), outcome, `${status} ${outcome.kind}`)
  }
  t.match(await openTestClient().calendly.cancelEvent(`${api}/users/me`), {
    kind: 'refused',
    reason: 'not_found'
  })
})
