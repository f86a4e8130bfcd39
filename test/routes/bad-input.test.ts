import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { engines } from '../support/database.ts'
import { type Answer, openService } from '../support/service.ts'
import { webhookBody } from '../support/webhook.ts'
import {
  availability,
  book,
  bookingBody,
  cancel,
  dayMs,
  deliver,
  eventTypes,
  everything,
  iso
} from './support/client.ts'

const nested = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`
const from = (days: number) => iso(Date.now() + days * dayMs)

for (const engine of engines) {
  t.test(`what is wrong is refused and changes nothing (${engine})`, async (t) => {
    const service = await openService(t, {
      engine,
      // A disk that is full for whoever comes from there: no request can fill one.
      prepare: async (db) => {
        await sql`create function refuse() returns trigger language plpgsql as
          $$ begin raise exception 'No space left on device' using errcode = 'disk_full'; end $$`.execute(db)
        await sql`create trigger full_disk before insert on bookings for each row
          when (new.invitee_email = 'ada@full.example') execute function refuse()`.execute(db)
        await sql`create trigger full_disk before insert on deliveries for each row
          when (position('ada@full.example'::bytea in new.body) > 0) execute function refuse()`.execute(db)
      }
    })
    const { call, control } = service
    const body = await bookingBody(service)
    const { id } = (await book(service, { event_type: eventTypes.introCall })).body
    const scopes = ['analytics:read']
    const { key } = (await call('POST', '/api/v1/caller-keys', { body: { name: 'narrow', scopes } })).body
    const invitee = { name: 'Ada Example', email: 'ada@example.com', timezone: 'Europe/Berlin' }
    const send = (text: string, headers = {}) =>
      call('POST', '/api/v1/bookings', { idempotencyKey: randomUUID(), body: text, headers })

    const refusals: [string, () => Promise<Answer>, number, string][] = [
      ['no key', () => book(service, body, { key: null }), 401, 'unauthenticated'],
      ['an unknown key', () => book(service, body, { key: 'cgw_unknown' }), 401, 'unauthenticated'],
      ['a key that is no key', () => book(service, body, { key: 'x'.repeat(5000) }), 401, 'unauthenticated'],
      ['a wrong scope', () => book(service, body, { key }), 403, 'insufficient_scope'],
      ['a wrong scope to cancel', () => cancel(service, id, {}, { key }), 403, 'insufficient_scope'],
      [
        'an unknown zone',
        () => book(service, { ...body, invitee: { ...invitee, timezone: 'Mars/Olympus' } }),
        400,
        'unknown_timezone'
      ],
      [
        'an offset for a zone',
        () => book(service, { ...body, invitee: { ...invitee, timezone: '+01:00' } }),
        400,
        'unknown_timezone'
      ],
      [
        'an abbreviation',
        () => book(service, { ...body, invitee: { ...invitee, timezone: 'PST' } }),
        400,
        'ambiguous_timezone'
      ],
      [
        'an unknown zone to look at times',
        () => availability(service, { timezone: 'Berlin' }),
        400,
        'unknown_timezone'
      ],
      [
        'an abbreviation to look at times',
        () => availability(service, { timezone: 'CET' }),
        400,
        'ambiguous_timezone'
      ],
      [
        'a local time',
        () => book(service, { ...body, start_time: '2099-12-01T15:00:00' }),
        400,
        'local_time'
      ],
      [
        'a local time to look from',
        () => availability(service, { start_time: '2099-12-01T15:00:00' }),
        400,
        'local_time'
      ],
      [
        'a time that is none',
        () => book(service, { ...body, start_time: '2099-02-30T15:00:00Z' }),
        400,
        'validation_failed'
      ],
      ['a time in words', () => book(service, { ...body, start_time: 'tomorrow' }), 400, 'validation_failed'],
      [
        'an end before the start',
        () => availability(service, { start_time: from(9), end_time: from(8) }),
        400,
        'validation_failed'
      ],
      [
        'an end in the past',
        () => availability(service, { start_time: from(-9), end_time: from(-8) }),
        400,
        'validation_failed'
      ],
      [
        'more than 180 days',
        () => availability(service, { start_time: from(1), end_time: from(181.1) }),
        400,
        'range_too_long'
      ],
      [
        '21 event types',
        () => availability(service, { event_type: Array.from({ length: 21 }, (_, i) => `TYPE${i}`) }),
        400,
        'too_many_event_types'
      ],
      ['no event type', () => availability(service, { event_type: [] }), 400, 'validation_failed'],
      [
        'an unknown event type',
        () => book(service, { ...body, event_type: 'NOSUCHTYPE234567' }),
        404,
        'event_type_not_found'
      ],
      [
        'an address for an event type',
        () => book(service, { ...body, event_type: 'https://example.com/x' }),
        404,
        'event_type_not_found'
      ],
      [
        'a booking in the past',
        () => book(service, { ...body, start_time: from(-1) }),
        400,
        'start_time_in_past'
      ],
      [
        'a malformed e-mail',
        () => book(service, { ...body, invitee: { ...invitee, email: 'ada@' } }),
        400,
        'validation_failed'
      ],
      [
        'nobody by name',
        () => book(service, { ...body, invitee: { ...invitee, name: undefined } }),
        400,
        'validation_failed'
      ],
      [
        'eleven guests',
        () => book(service, { ...body, event_guests: Array(11).fill('g@example.com') }),
        400,
        'validation_failed'
      ],
      ['an unknown field', () => book(service, { ...body, colour: 'red' }), 400, 'validation_failed'],
      ['an unknown parameter', () => availability(service, { colour: 'red' }), 400, 'validation_failed'],
      ['an empty body', () => send(''), 400, 'invalid_json'],
      ['an empty object', () => send('{}'), 400, 'validation_failed'],
      [
        'a body of 1 MB',
        () => book(service, { ...body, metadata: { a: 'x'.repeat(1_000_000) } }),
        413,
        'body_too_large'
      ],
      ['broken JSON', () => send('{"event_type":'), 400, 'invalid_json'],
      [
        'a wrong content type',
        () => send(JSON.stringify(body), { 'content-type': 'text/plain' }),
        415,
        'unsupported_media_type'
      ],
      ['deep nesting', () => send(nested), 400, 'validation_failed'],
      [
        '__proto__',
        () => send(`{"__proto__":{"isAdmin":true},${JSON.stringify(body).slice(1)}`),
        400,
        'invalid_json'
      ],
      [
        'constructor',
        () => send(`{"constructor":{"prototype":{}},${JSON.stringify(body).slice(1)}`),
        400,
        'invalid_json'
      ],
      [
        'no idempotency key',
        () => call('POST', '/api/v1/bookings', { body }),
        400,
        'idempotency_key_required'
      ],
      [
        'an idempotency key of 300 characters',
        () => book(service, body, { idempotencyKey: 'k'.repeat(300) }),
        400,
        'invalid_idempotency_key'
      ],
      [
        'a full disk',
        () => book(service, { ...body, invitee: { ...invitee, email: 'ada@full.example' } }),
        503,
        'database_unavailable'
      ],
      [
        'a webhook on a full disk',
        () => deliver(service, webhookBody({ id: 'FULL', payload: { email: 'ada@full.example' } })),
        503,
        'database_unavailable'
      ]
    ]
    for (const [what, ask, status, code] of refusals) {
      t.test(`${what}: ${status} ${code}`, async (t) => {
        const before = await everything(service)
        const answer = await ask()
        t.match(answer, { status, body: { status, code } })
        t.match(answer.headers['content-type'], /^application\/problem\+json/)
        t.same(await everything(service), before)
      })
    }

    t.test('the detail of an abbreviation names the zones it may mean', async (t) => {
      t.match((await availability(service, { timezone: 'PST' })).body.detail, /America\/Los_Angeles/)
    })

    t.test('after all that a good request is served', async (t) => {
      t.equal(({} as Record<string, unknown>).isAdmin, undefined)
      t.equal((await book(service, body)).status, 201)
      t.same((await control('GET', '/violations')).violations, [])
    })
  })
}
