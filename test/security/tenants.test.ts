import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import t from 'tap'
import { hashOf, scopes } from '../../src/core/callers.ts'
import type { Tables } from '../../src/database/tables.ts'
import { standard } from '../../src/sandbox/standard.ts'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'

const otherKey = `cgw_${randomBytes(32).toString('base64url')}`
const theirBooking = 'bkg_01k00000000000000000000000'
const theirCallerKey = 'key_01k00000000000000000000000'
const meeting = standard.eventTypes.thirtyMinutes
const soon = Date.now() + 86_400_000

/** A second tenant whose caller has the admin's own name and every scope. */
async function addTenant(db: Kysely<Tables>): Promise<void> {
  const now = new Date().toISOString()
  await db.insertInto('tenants').values({ id: 'other', name: 'Other' }).execute()
  await db
    .insertInto('caller_keys')
    .values({
      id: theirCallerKey,
      tenant_id: 'other',
      name: 'admin',
      key_hash: hashOf(otherKey),
      scopes: [...scopes],
      created_at: now
    })
    .execute()
  await db
    .insertInto('bookings')
    .values({
      id: theirBooking,
      tenant_id: 'other',
      status: 'confirmed',
      event_type: meeting,
      start_time: new Date(soon).toISOString(),
      end_time: new Date(soon + 1_800_000).toISOString(),
      invitee_email: 'theirs@example.com',
      hosts: [standard.users.ada],
      calendly_event: 'https://api.calendly.com/scheduled_events/THEIRS',
      details: JSON.stringify({
        source: 'webhook',
        isGroup: false,
        invitee: { name: 'Theirs', email: 'theirs@example.com' },
        hosts: [{ user: standard.users.ada }],
        questionsAndAnswers: [],
        tracking: {},
        guests: [],
        metadata: {},
        calendly: {
          event: 'https://api.calendly.com/scheduled_events/THEIRS',
          invitee: 'https://api.calendly.com/scheduled_events/THEIRS/invitees/THEIRS'
        },
        reschedules: [],
        noShow: false
      }),
      version: 1,
      created_at: now,
      updated_at: now
    })
    .execute()
  await db
    .insertInto('booking_timeline')
    .values({ tenant_id: 'other', booking_id: theirBooking, at: now, type: 'recorded', detail: '{}' })
    .execute()
}

for (const engine of engines) {
  t.test(`two tenants do not see each other (${engine})`, async (t) => {
    const { call, control } = await openService(t, { engine, prepare: addTenant })
    const asThem = { key: otherKey }
    const cancel = { canceler_type: 'system' }

    const booked = await control('POST', '/book', { event_type: meeting, email: 'unused@example.com' })
    const ours = await call('POST', '/api/v1/bookings', {
      idempotencyKey: 'shared',
      body: {
        event_type: meeting,
        start_time: new Date(Date.parse(booked.event.start_time) + 7 * 86_400_000).toISOString(),
        invitee: { name: 'Ours', email: 'ours@example.com', timezone: 'UTC' },
        location: { kind: 'google_conference' }
      }
    })
    t.equal(ours.status, 201, ours.text)

    t.test('each can read what is its own', async (t) => {
      t.equal((await call('GET', `/api/v1/bookings/${ours.body.id}`)).status, 200)
      t.equal((await call('GET', `/api/v1/bookings/${theirBooking}`, asThem)).status, 200)
      t.equal((await call('GET', `/api/v1/bookings/${theirBooking}/timeline`, asThem)).body.data.length, 1)
    })

    t.test('an id of the other is unknown, on every path', async (t) => {
      for (const [key, id] of [
        [otherKey, ours.body.id],
        [undefined, theirBooking]
      ] as const) {
        const caller = key === undefined ? {} : { key }
        const answers = [
          await call('GET', `/api/v1/bookings/${id}`, caller),
          await call('GET', `/api/v1/bookings/${id}/timeline`, caller),
          await call('POST', `/api/v1/bookings/${id}/cancel`, {
            ...caller,
            idempotencyKey: 'cancel-foreign',
            body: cancel
          })
        ]
        for (const { status, body } of answers) {
          t.match({ status, code: body.code }, { status: 404, code: 'booking_not_found' })
        }
      }
      t.equal((await call('GET', `/api/v1/bookings/${ours.body.id}`)).body.status, 'confirmed')
      t.equal((await call('GET', `/api/v1/bookings/${theirBooking}`, asThem)).body.status, 'confirmed')
    })

    t.test('a hold of the other is unknown, whatever its caller is called', async (t) => {
      const [{ name }] = (await call('GET', '/api/v1/caller-keys', asThem)).body.data
      const made = await call('POST', '/api/v1/caller-keys', { body: { name, scopes: ['bookings:write'] } })
      const mine = { key: made.body.key }
      const start_time = new Date(Date.parse(ours.body.start_time) + 7 * 86_400_000).toISOString()
      const { body } = await call('POST', '/api/v1/holds', {
        ...mine,
        body: { event_type: meeting, start_time }
      })
      const path = `/api/v1/holds/${body.id}`
      t.equal((await call('GET', path, mine)).status, 200)
      for (const method of ['GET', 'DELETE']) {
        t.match(await call(method, path, asThem), { status: 404, body: { code: 'hold_not_found' } })
      }
      t.equal((await call('DELETE', path, mine)).status, 204)
      t.equal((await call('DELETE', `/api/v1/caller-keys/${made.body.id}`)).status, 204)
    })

    t.test('no list and no filter mixes them', async (t) => {
      const ids = async (query: string, key?: string) => {
        const { body } = await call('GET', `/api/v1/bookings${query}`, key === undefined ? {} : { key })
        return body.data.map(({ id }: { id: string }) => id)
      }
      t.same(await ids(''), [ours.body.id])
      t.same(await ids('', otherKey), [theirBooking])
      const byType = `?event_type=${encodeURIComponent(meeting)}`
      t.same(await ids(byType), [ours.body.id])
      t.same(await ids(byType, otherKey), [theirBooking])
      const byHost = `?host=${encodeURIComponent(standard.users.ada)}`
      t.same(await ids(byHost), [ours.body.id])
      t.same(await ids(byHost, otherKey), [theirBooking])
      t.same(await ids('?invitee_email=theirs@example.com'), [])
      t.same(await ids('?invitee_email=ours@example.com', otherKey), [])
    })

    t.test('the same idempotency key of the same caller name is another key', async (t) => {
      const theirs = await call('POST', '/api/v1/bookings', {
        ...asThem,
        idempotencyKey: 'shared',
        body: { event_type: meeting, start_time: ours.body.start_time, invitee: ours.body.invitee }
      })
      t.notOk(theirs.headers['idempotent-replayed'])
      t.notOk(theirs.text.includes(ours.body.id))
      t.not(theirs.body.code, 'idempotency_key_reused')

      const body = { name: 'reader', scopes: ['bookings:read'] }
      const first = await call('POST', '/api/v1/caller-keys', { idempotencyKey: 'key', body })
      const second = await call('POST', '/api/v1/caller-keys', { ...asThem, idempotencyKey: 'key', body })
      t.same([first.status, second.status], [201, 201])
      t.not(first.body.key, second.body.key)
      const list = await call('GET', '/api/v1/bookings', { key: second.body.key })
      t.same(
        list.body.data.map(({ id }: { id: string }) => id),
        [theirBooking],
        'a key belongs to the tenant of its maker'
      )
    })

    t.test('an admin manages the caller keys of its own tenant only', async (t) => {
      const own = await call('GET', '/api/v1/caller-keys')
      const theirs = await call('GET', '/api/v1/caller-keys', asThem)
      t.notOk(own.text.includes(theirCallerKey))
      t.ok(theirs.text.includes(theirCallerKey))
      t.equal((await call('DELETE', `/api/v1/caller-keys/${theirCallerKey}`)).status, 404)
      const [first] = own.body.data
      t.equal((await call('DELETE', `/api/v1/caller-keys/${first.id}`, asThem)).status, 404)
      t.equal((await call('GET', '/api/v1/caller-keys', asThem)).status, 200)
    })

    t.test('comparisons with Calendly belong to who has the account', async (t) => {
      const body = { kind: 'calendly' }
      const { id } = (await call('POST', '/api/v1/reconciliations', { body })).body
      t.equal((await call('GET', `/api/v1/reconciliations/${id}`)).status, 200)
      t.equal((await call('GET', `/api/v1/reconciliations/${id}`, asThem)).status, 404)
      t.same((await call('GET', '/api/v1/reconciliations', asThem)).body.data, [])
      const theirs = await call('POST', '/api/v1/reconciliations', { body, ...asThem })
      t.match(theirs, { status: 503, body: { code: 'calendly_unavailable' } })
    })

    t.test('the account connected for one is not offered to the other', async (t) => {
      for (const path of ['/api/v1/event-types', `/api/v1/event-types/${encodeURIComponent(meeting)}`]) {
        t.equal((await call('GET', path)).status, 200)
        t.equal((await call('GET', path, asThem)).body.code, 'calendly_unavailable')
      }
    })
  })
}
