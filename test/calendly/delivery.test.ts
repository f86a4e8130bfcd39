import fc from 'fast-check'
import t from 'tap'
import { outlineDelivery, readDelivery } from '../../src/calendly/wire-delivery.ts'

const api = 'https://api.calendly.com'
const scheduledEvent = {
  uri: `${api}/scheduled_events/E1`,
  name: 'Consultation',
  status: 'active',
  start_time: '2026-12-01T15:00:00.000000Z',
  end_time: '2026-12-01T15:30:00.000000Z',
  event_type: `${api}/event_types/ET1`,
  location: {
    type: 'google_conference',
    status: 'processing',
    join_url: 'https://calendly.com/events/E1/google_meet'
  },
  invitees_counter: { total: 1, active: 1, limit: 1 },
  event_memberships: [{ user: `${api}/users/U1`, user_email: 'ada@example.com', user_name: 'Ada' }],
  event_guests: []
}
const payload = {
  uri: `${api}/scheduled_events/E1/invitees/I1`,
  event: scheduledEvent.uri,
  status: 'active',
  name: 'Zoë Guest',
  email: 'zoe@example.com',
  timezone: 'America/Denver',
  rescheduled: false,
  old_invitee: null,
  new_invitee: null,
  payment: null,
  questions_and_answers: [],
  tracking: { utm_term: 'bkg_1' },
  created_at: '2026-11-22T21:17:12.421314Z',
  updated_at: '2026-11-22T21:17:12.421314Z',
  scheduled_event: scheduledEvent
}
const created = {
  event: 'invitee.created',
  created_at: '2026-11-22T21:17:13.000000Z',
  created_by: `${api}/users/U1`,
  payload
}
const bytesOf = (body: unknown) => Buffer.from(JSON.stringify(body))

t.test('a booking is read with its invitee and its event', async (t) => {
  t.match(readDelivery(bytesOf(created)), {
    event: 'invitee.created',
    createdAt: Date.parse('2026-11-22T21:17:13Z'),
    invitee: { uri: payload.uri, name: 'Zoë Guest', tracking: { utmTerm: 'bkg_1' }, rescheduled: false },
    scheduledEvent: { uri: scheduledEvent.uri, startTime: Date.parse('2026-12-01T15:00:00Z') }
  })
})

t.test('a reschedule and a no-show are read', async (t) => {
  const moved = {
    ...created,
    event: 'invitee.canceled',
    payload: {
      ...payload,
      status: 'canceled',
      rescheduled: true,
      new_invitee: `${api}/scheduled_events/E2/invitees/I2`,
      cancellation: {
        canceled_by: 'Zoë',
        reason: null,
        canceler_type: 'invitee',
        created_at: created.created_at
      }
    }
  }
  t.match(readDelivery(bytesOf(moved)), {
    invitee: {
      status: 'canceled',
      rescheduled: true,
      newInvitee: `${api}/scheduled_events/E2/invitees/I2`,
      cancellation: { cancelerType: 'invitee', createdAt: Date.parse(created.created_at) }
    }
  })
  const missed = { uri: `${api}/invitee_no_shows/N1`, created_at: created.created_at }
  t.match(
    readDelivery(
      bytesOf({ ...created, event: 'invitee_no_show.created', payload: { ...payload, no_show: missed } })
    ),
    { invitee: { noShow: { uri: missed.uri } } }
  )
})

t.test('an event that we do not know is named and nothing more', async (t) => {
  const delivery = readDelivery(
    bytesOf({ event: 'contact.created', created_at: 'whenever', payload: { contact: {} } })
  )
  t.same(delivery, { event: 'contact.created', createdAt: undefined })
})

t.test('what is no delivery is unreadable, never an exception', async (t) => {
  const { scheduled_event: _, ...withoutEvent } = payload
  const bodies = [
    null,
    [],
    [created],
    42,
    'invitee.created',
    {},
    { event: 7 },
    { event: '' },
    { event: 'invitee.created' },
    { event: 'invitee.created', payload: null },
    { event: 'invitee.created', payload: [] },
    { event: 'invitee.created', payload: withoutEvent },
    { event: 'invitee_no_show.deleted', payload: { ...payload, uri: null } },
    {
      event: 'invitee.canceled',
      payload: { ...payload, scheduled_event: { ...scheduledEvent, start_time: 'soon' } }
    }
  ]
  for (const body of bodies)
    t.equal(readDelivery(bytesOf(body)), undefined, JSON.stringify(body).slice(0, 60))
  for (const text of ['', '{', '<html>', '{"event":"invitee.created",}', '[['.repeat(50_000)]) {
    t.equal(readDelivery(Buffer.from(text)), undefined, text.slice(0, 30))
  }
  const latin1 = Buffer.from(JSON.stringify(created), 'latin1')
  t.equal(readDelivery(latin1), undefined, 'not UTF-8')
})

t.test('an event type is named however little else of it can be read', async (t) => {
  const uri = 'https://api.calendly.com/event_types/AAAA'
  for (const event of ['event_type.created', 'event_type.updated', 'event_type.deleted']) {
    t.match(readDelivery(bytesOf({ event, payload: { uri, duration: 'half an hour' } })), {
      event,
      subject: uri,
      eventType: uri
    })
  }
  for (const payload of [
    undefined,
    null,
    [],
    'AAAA',
    {},
    { uri: 7 },
    { uri: 'AAAA' },
    { uri: `${uri}/x/y` }
  ]) {
    const delivery = readDelivery(bytesOf({ event: 'event_type.updated', payload }))
    t.equal(delivery?.event, 'event_type.updated')
    t.equal(delivery?.eventType, undefined, JSON.stringify(payload))
  }
})

t.test('an event about invitees that we do not know is named and not read', async (t) => {
  for (const event of ['invitee.rescheduled', 'invitee_no_show.canceled', 'invitee.']) {
    t.match(readDelivery(bytesOf({ event, payload: {} })), { event })
  }
})

t.test('the outline is the event and what it is about, as far as they can be kept', async (t) => {
  t.same(outlineDelivery(bytesOf(created)), { event: 'invitee.created', subject: payload.uri })
  const submission = { event: 'routing_form_submission.created', payload: { uri: 'a form' } }
  t.same(outlineDelivery(bytesOf(submission)), { event: submission.event, subject: 'a form' })
  t.same(outlineDelivery(bytesOf({ event: 'e'.repeat(101), payload: { uri: 'u'.repeat(501) } })), {
    event: 'e'.repeat(100)
  })
  const halved = outlineDelivery(bytesOf({ event: `${'e'.repeat(99)}\u{1f600}` }))
  t.ok(halved?.event.isWellFormed())
  t.same(outlineDelivery(Buffer.from('{"event":"a\\u0000\\ud800"}')), { event: 'a\ufffd' })
  for (const text of ['', '{', '[]', '{}', '{"event":7}'])
    t.equal(outlineDelivery(Buffer.from(text)), undefined)
})

t.test('a payload cannot smuggle a prototype', async (t) => {
  const text = JSON.stringify(created).replace('"payload":{', '"payload":{"__proto__":{"isAdmin":true},')
  const delivery = readDelivery(Buffer.from(text))
  t.equal(delivery?.invitee?.uri, payload.uri)
  t.notOk(delivery?.invitee && 'isAdmin' in delivery.invitee)
})

t.test('no bytes whatever make it throw', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      outlineDelivery(bytes)
      readDelivery(bytes)
    })
  )
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(...Object.keys(payload)), (json, key) => {
      readDelivery(Buffer.from(json))
      readDelivery(bytesOf({ ...created, payload: { ...payload, [key]: JSON.parse(json) } }))
    })
  )
})
