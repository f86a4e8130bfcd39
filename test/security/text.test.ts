import t from 'tap'
import { standard } from '../../src/sandbox/standard.ts'
import { engines } from '../support/database.ts'
import { openService, type Service, until } from '../support/service.ts'
import { signatureOf, webhookBody } from '../support/webhook.ts'

const meeting = standard.eventTypes.thirtyMinutes
/** What JSON can say and PostgreSQL cannot keep. */
const unkeepable = { 'a NUL': '\0', 'a high surrogate': '\ud83d', 'a low surrogate': '\ude00' }

const booking = (mark: string, startTime: string) => ({
  event_type: meeting,
  start_time: startTime,
  invitee: { name: `Ada${mark}`, email: 'ada@example.com', timezone: 'UTC' },
  location: { kind: 'google_conference' },
  session_id: `session${mark}`,
  metadata: { order: `4711${mark}` }
})

/** The same booking with the mark in one of the places where a text stands. */
const places: Record<string, (mark: string) => Record<string, unknown>> = {
  event_type: (mark) => ({ event_type: `${meeting}${mark}` }),
  start_time: (mark) => ({ start_time: `2027-01-01T00:00:00Z${mark}` }),
  name: (mark) => ({ invitee: { name: mark, email: 'a@example.com', timezone: 'UTC' } }),
  first_name: (mark) => ({ invitee: { first_name: `A${mark}`, email: 'a@example.com', timezone: 'UTC' } }),
  email: (mark) => ({ invitee: { name: 'A', email: `a${mark}@example.com`, timezone: 'UTC' } }),
  timezone: (mark) => ({ invitee: { name: 'A', email: 'a@example.com', timezone: `UTC${mark}` } }),
  location: (mark) => ({ location: { kind: 'physical', location: mark } }),
  question: (mark) => ({ questions_and_answers: [{ question: mark, answer: 'a' }] }),
  answer: (mark) => ({ questions_and_answers: [{ question: 'a', answer: mark }] }),
  tracking: (mark) => ({ tracking: { utm_source: mark } }),
  guest: (mark) => ({ event_guests: [`a${mark}@example.com`] }),
  hold: (mark) => ({ hold_id: `hld_${mark}` }),
  payment: (mark) => ({ payment: { provider: 'stripe', payment_intent: `pi_${mark}` } }),
  session: (mark) => ({ session_id: mark }),
  'metadata key': (mark) => ({ metadata: { [`a${mark}`]: 'b' } }),
  'metadata value': (mark) => ({ metadata: { a: mark } })
}

async function freeTime({ call }: Service): Promise<string> {
  const query = new URLSearchParams({
    event_type: meeting,
    start_time: new Date(Date.now() + 86_400_000).toISOString(),
    end_time: new Date(Date.now() + 10 * 86_400_000).toISOString(),
    timezone: 'UTC'
  })
  const { body } = await call('GET', `/api/v1/availability?${query}`)
  return body.days[0].slots[0].start_time
}

for (const engine of engines) {
  t.test(`text that a database cannot keep (${engine})`, async (t) => {
    const service = await openService(t, { engine })
    const { call } = service
    const startTime = await freeTime(service)

    t.test('is refused from callers, wherever it stands', async (t) => {
      for (const [name, mark] of Object.entries(unkeepable)) {
        for (const [place, changed] of Object.entries(places)) {
          const { status } = await call('POST', '/api/v1/bookings', {
            idempotencyKey: 'unkeepable',
            body: { ...booking('', startTime), ...changed(mark) }
          })
          t.equal(status, 400, `${name} in ${place}`)
        }
        const key = await call('POST', '/api/v1/caller-keys', {
          body: { name: `a${mark}`, scopes: ['bookings:read'] }
        })
        t.equal(key.status, 400, `${name} in a caller's name`)
      }
      for (const query of ['event_type=%00', 'host=a%00', 'invitee_email=%00@example.com', 'cursor=%00']) {
        t.equal((await call('GET', `/api/v1/bookings?${query}`)).status, 400, query)
      }
    })

    t.test('is no reason to refuse what only looks odd', async (t) => {
      const odd =
        ' \u0001\u001f \u{1d49c}\u{1f469}\u200d\u{1f680} \u202e\u2066\ufeff\uffff\u2028 <b>&amp;\'";--\\ %00'
      const booked = await call('POST', '/api/v1/bookings', {
        idempotencyKey: 'odd',
        body: booking(odd, startTime)
      })
      t.equal(booked.status, 201)
      const { body } = await call('GET', `/api/v1/bookings/${booked.body.id}`)
      t.match(body, { session_id: `session${odd}`, metadata: { order: `4711${odd}` } })
    })

    t.test('does not lose a booking that Calendly reports', async (t) => {
      for (const [id, mark] of [
        ['NUL', '\0'],
        ['HIGH', '\ud83d'],
        ['LOW', '\ude00']
      ] as const) {
        const body = webhookBody({
          id,
          eventType: meeting,
          startTime: Date.now() + 200 * 86_400_000,
          payload: {
            name: `Zo${mark}ë`,
            email: `zoe-${id}${mark}@example.com`,
            questions_and_answers: [{ question: `q${mark}`, answer: `a${mark}`, position: 0 }],
            tracking: { utm_source: `s${mark}`, utm_term: `bkg_${mark}` },
            cancel_url: `https://calendly.com/cancellations/${mark}`,
            text_reminder_number: mark,
            old_invitee: `https://api.calendly.com/scheduled_events/OLD/invitees/${id}${mark}`
          }
        })
        const headers = { 'calendly-webhook-signature': signatureOf(standard.signingKey, body) }
        t.equal((await call('POST', '/api/webhooks/calendly', { key: null, body, headers })).status, 204)
      }
      const { body: list } = await until(
        () => call('GET', '/api/v1/bookings?start_time_from=2026-12-25T00:00:00Z'),
        ({ body }) => body.data.length === 3
      )
      for (const { invitee, source } of list.data) {
        t.equal(source, 'webhook')
        t.match(invitee.name, /^Zo\ufffd?ë$/)
      }
      const { body: health } = await call('GET', '/api/health')
      t.equal(health.queues.inbox.dead, 0)
    })

    t.test('is kept aside where a genuine delivery is no UTF-8 or no JSON at all', async (t) => {
      for (const body of [
        Buffer.from('{"event":"\xff\xfe"}', 'latin1'),
        Buffer.alloc(0),
        Buffer.from('\0')
      ]) {
        const headers = { 'calendly-webhook-signature': signatureOf(standard.signingKey, body) }
        t.equal((await call('POST', '/api/webhooks/calendly', { key: null, body, headers })).status, 204)
      }
      const { body: health } = await until(
        () => call('GET', '/api/health'),
        ({ body }) => body.queues.inbox.waiting === 0
      )
      t.equal(health.queues.inbox.dead, 0)
    })
  })
}
