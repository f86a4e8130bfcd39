import fc from 'fast-check'
import t from 'tap'
import { readProblem } from '../../src/calendly/wire.ts'
import { readCancellation, readEvent, readEvents, readInvitee } from '../../src/calendly/wire-bookings.ts'
import {
  readAvailableTimes,
  readEventType,
  readMembers,
  readSubscription,
  readUser
} from '../../src/calendly/wire-resources.ts'

const api = 'https://api.calendly.com'
const uuid = '0c8c2e2e-7f53-4d0e-8f5e-5a8f3c0b7a11'

t.test('a user of 2020 and one of today are read alike', async (t) => {
  const old = {
    uri: `${api}/users/AAAAAAAAAAAAAAA2`,
    current_organization: `${api}/organizations/O`,
    name: 'Ada'
  }
  t.match(readUser({ resource: old }), {
    uri: old.uri,
    organization: `${api}/organizations/O`,
    timezone: 'UTC'
  })
  const today = {
    ...old,
    uri: `${api}/users/${uuid}`,
    email: 'ada@example.com',
    timezone: 'Europe/Berlin',
    locale: 'en',
    resource_type: 'User',
    scheduling_url: 'https://calendly.com/ada'
  }
  t.same(readUser({ resource: today }), {
    uri: today.uri,
    organization: `${api}/organizations/O`,
    name: 'Ada',
    email: 'ada@example.com',
    timezone: 'Europe/Berlin',
    schedulingUrl: 'https://calendly.com/ada'
  })
})

t.test('an event type with the keys of 2020 alone gets sensible rest', async (t) => {
  const old = {
    uri: `${api}/event_types/ET1`,
    name: 'Intro',
    slug: null,
    active: false,
    duration: 15,
    kind: 'solo'
  }
  t.match(
    readEventType({ resource: { ...old, pooling_type: null, description_html: null, profile: null } }),
    {
      uri: old.uri,
      slug: undefined,
      active: false,
      durationMinutes: 15,
      durationOptions: [],
      poolingType: undefined,
      isPaid: false,
      questions: [],
      locations: undefined,
      profile: undefined,
      deletedAt: undefined
    }
  )
})

t.test('an event type of today keeps its questions, locations and owner', async (t) => {
  const resource = {
    uri: `${api}/event_types/${uuid}`,
    name: 'Consultation',
    slug: 'consultation',
    active: true,
    duration: 30,
    duration_options: [30, 60],
    kind: 'group',
    pooling_type: 'round_robin',
    type: 'StandardEventType',
    booking_method: 'instant',
    is_paid: true,
    secret: true,
    description_plain: 'Half an hour',
    profile: { type: 'Team', name: 'Sales', owner: `${api}/teams/T1` },
    custom_questions: [
      {
        name: 'Colour?',
        type: 'single_select',
        position: 2,
        enabled: true,
        required: true,
        answer_choices: ['red', 'blue'],
        include_other: true
      },
      {
        name: 'Anything else?',
        type: 'text',
        position: 3,
        enabled: true,
        required: false,
        answer_choices: null
      }
    ],
    locations: [
      { kind: 'zoom_conference' },
      { kind: 'physical', location: 'Room 1', additional_info: 'Ring twice' }
    ],
    deleted_at: '2026-10-01T00:00:00.000000Z'
  }
  t.match(readEventType({ resource }), {
    durationOptions: [30, 60],
    kind: 'group',
    poolingType: 'round_robin',
    isPaid: true,
    secret: true,
    description: 'Half an hour',
    profile: { type: 'Team', owner: `${api}/teams/T1` },
    questions: [
      { name: 'Colour?', required: true, answerChoices: ['red', 'blue'], includeOther: true },
      { name: 'Anything else?', required: false, answerChoices: [], includeOther: false }
    ],
    locations: [
      { kind: 'zoom_conference' },
      { kind: 'physical', location: 'Room 1', additionalInfo: 'Ring twice' }
    ],
    deletedAt: Date.parse('2026-10-01T00:00:00Z')
  })
})

t.test('every way Calendly ever wrote a time means the same moment', async (t) => {
  const moment = Date.parse('2026-12-01T15:00:00Z')
  const spellings = [
    '2026-12-01T15:00:00Z',
    '2026-12-01T15:00:00.000Z',
    '2026-12-01T15:00:00.000000Z',
    '2026-12-01T16:00:00+01:00',
    '2026-12-01T10:00:00.000-0500',
    '2026-12-01 15:00:00 UTC',
    '2026-12-01T15:00:00'
  ]
  for (const start_time of spellings) {
    t.match(readAvailableTimes({ collection: [{ start_time }] }), [{ startTime: moment }], start_time)
  }
  for (const start_time of ['', 'soon', '2026-13-01T00:00:00Z', '15:00', 1_796_137_200, null]) {
    t.equal(readAvailableTimes({ collection: [{ start_time }] }), undefined, String(start_time))
  }
})

t.test('times that are not available are left out', async (t) => {
  const collection = [
    {
      status: 'available',
      start_time: '2026-12-01T15:00:00Z',
      invitees_remaining: 3,
      scheduling_url: 'https://x/'
    },
    { status: 'unavailable', start_time: '2026-12-01T16:00:00Z', invitees_remaining: 0 }
  ]
  t.same(readAvailableTimes({ collection }), [
    { startTime: Date.parse('2026-12-01T15:00:00Z'), inviteesRemaining: 3, schedulingUrl: 'https://x/' }
  ])
})

const event = {
  uri: `${api}/scheduled_events/${uuid}`,
  status: 'active',
  start_time: '2026-12-01T15:00:00.000000Z',
  end_time: '2026-12-01T15:30:00.000000Z'
}

t.test('a scheduled event is read with its hosts, guests, seats and place', async (t) => {
  const resource = {
    ...event,
    name: 'Consultation',
    event_type: `${api}/event_types/ET1`,
    location: { type: 'zoom', status: 'pushed', join_url: 'https://zoom.example/1', data: { id: 1 } },
    invitees_counter: { total: 2, active: 1, limit: 5 },
    event_memberships: [
      { user: `${api}/users/U1`, user_email: 'ada@example.com', user_name: 'Ada' },
      { user: `${api}/users/U2` }
    ],
    event_guests: [{ email: 'guest@example.com', created_at: '2026-11-01T00:00:00Z' }],
    cancellation: { canceled_by: 'Ada', reason: null, canceler_type: 'host' },
    calendar_event: null
  }
  t.match(readEvent({ resource }), {
    startTime: Date.parse('2026-12-01T15:00:00Z'),
    endTime: Date.parse('2026-12-01T15:30:00Z'),
    eventType: `${api}/event_types/ET1`,
    location: { type: 'zoom', status: 'pushed', joinUrl: 'https://zoom.example/1' },
    inviteesCounter: { total: 2, active: 1, limit: 5 },
    hosts: [{ user: `${api}/users/U1`, email: 'ada@example.com', name: 'Ada' }, { user: `${api}/users/U2` }],
    guests: ['guest@example.com'],
    cancellation: { canceledBy: 'Ada', reason: undefined, cancelerType: 'host', createdAt: undefined }
  })
  t.match(readEvent({ resource: { ...event, location: null } }), {
    location: undefined,
    hosts: [],
    guests: []
  })
})

t.test('a page tells how to get the next, in the old way and in the new', async (t) => {
  const next_page = `${api}/scheduled_events?count=1&page_token=abc`
  t.match(readEvents({ collection: [event], pagination: { count: 1, next_page } }), {
    items: [{ uri: event.uri }],
    nextPage: next_page,
    nextPageToken: undefined
  })
  t.match(readEvents({ collection: [], pagination: { count: 0, next_page: null, next_page_token: null } }), {
    items: [],
    nextPage: undefined
  })
  t.match(readEvents({ collection: [] }), { items: [] })
})

const invitee = {
  uri: `${event.uri}/invitees/I1`,
  event: event.uri,
  status: 'active',
  email: 'bob@example.com',
  created_at: '2026-11-22T10:00:00.123456Z',
  updated_at: '2026-11-22T10:00:00.654321Z'
}

t.test('an invitee is read with answers, tracking, links and payment', async (t) => {
  const resource = {
    ...invitee,
    name: 'Bob Guest',
    first_name: null,
    timezone: 'America/Denver',
    questions_and_answers: [{ question: 'Which?', answer: 'A1\nOther', position: 1 }],
    tracking: { utm_term: 'bkg_1', utm_source: null, salesforce_uuid: null },
    rescheduled: true,
    old_invitee: null,
    new_invitee: `${api}/scheduled_events/E2/invitees/I2`,
    cancel_url: 'https://calendly.com/cancellations/I1',
    payment: { external_id: 'ch_1', provider: 'stripe', amount: 1234.56, currency: 'USD', successful: true },
    no_show: { uri: `${api}/invitee_no_shows/N1`, created_at: '2026-12-01T16:00:00.123Z' }
  }
  t.match(readInvitee({ resource }), {
    name: 'Bob Guest',
    firstName: undefined,
    questionsAndAnswers: [{ question: 'Which?', answer: 'A1\nOther', position: 1 }],
    tracking: { utmTerm: 'bkg_1', utmSource: undefined },
    rescheduled: true,
    oldInvitee: undefined,
    newInvitee: `${api}/scheduled_events/E2/invitees/I2`,
    cancelUrl: 'https://calendly.com/cancellations/I1',
    payment: { externalId: 'ch_1', amount: '1234.56', currency: 'USD', successful: true },
    noShow: { uri: `${api}/invitee_no_shows/N1`, createdAt: Date.parse('2026-12-01T16:00:00.123Z') },
    createdAt: Date.parse('2026-11-22T10:00:00.123Z'),
    updatedAt: Date.parse('2026-11-22T10:00:00.654Z')
  })
})

t.test('an amount is told in the words it came in, string or number', async (t) => {
  const payment = {
    external_id: 'ch_1',
    provider: 'stripe',
    amount: '50.00',
    currency: 'EUR',
    successful: true
  }
  t.equal(readInvitee({ resource: { ...invitee, payment } })?.payment?.amount, '50.00')
})

t.test('a name in two parts becomes one', async (t) => {
  const resource = { ...invitee, name: null, first_name: 'Bob', last_name: 'Guest' }
  t.equal(readInvitee({ resource })?.name, 'Bob Guest')
})

t.test('what the service cannot do without makes a body unreadable when it is missing', async (t) => {
  for (const key of ['uri', 'event', 'status', 'email', 'created_at']) {
    t.equal(readInvitee({ resource: { ...invitee, [key]: undefined } }), undefined, key)
  }
  for (const key of ['uri', 'status', 'start_time', 'end_time']) {
    t.equal(readEvent({ resource: { ...event, [key]: null } }), undefined, key)
  }
})

t.test('hosts, subscriptions and cancellations are read', async (t) => {
  t.match(
    readMembers({ collection: [{ event_type: {}, member: { uri: `${api}/users/U1`, name: 'Ada' } }] }),
    {
      items: [`${api}/users/U1`]
    }
  )
  const subscription = {
    uri: `${api}/webhook_subscriptions/W1`,
    callback_url: 'https://example.com/hook',
    state: 'disabled',
    scope: 'organization',
    events: ['invitee.created'],
    retry_started_at: '2026-11-21T10:00:00.000000Z'
  }
  t.match(readSubscription({ resource: subscription }), {
    callbackUrl: 'https://example.com/hook',
    state: 'disabled',
    retryStartedAt: Date.parse('2026-11-21T10:00:00Z')
  })
  t.match(readCancellation({ resource: { canceled_by: 'Ada', canceler_type: 'host', reason: 'ill' } }), {
    canceledBy: 'Ada',
    cancelerType: 'host',
    reason: 'ill'
  })
})

t.test('an error body is read as far as it goes', async (t) => {
  t.same(readProblem({ title: 'Invalid Argument', message: 'No.', details: [{ code: 'x', parameter: 7 }] }), {
    title: 'Invalid Argument',
    message: 'No.',
    details: [{ code: 'x', parameter: undefined }]
  })
  for (const body of [undefined, null, '<html>', [], {}, { details: 'none' }]) {
    t.same(readProblem(body), { title: '', message: '', details: [] })
  }
})

t.test('no body whatever makes a reader throw', async () => {
  const readers = [
    readUser,
    readEventType,
    readAvailableTimes,
    readEvent,
    readEvents,
    readInvitee,
    readProblem
  ]
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (anything, other) => {
      for (const read of readers) {
        read(anything)
        read({ resource: anything, collection: [other], pagination: other })
      }
    })
  )
})
