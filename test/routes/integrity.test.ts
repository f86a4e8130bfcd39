import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import t from 'tap'
import { hashOf } from '../../src/core/callers.ts'
import { invariants } from '../../src/core/integrity.ts'
import type { Tables } from '../../src/database/tables.ts'
import { engines } from '../support/database.ts'
import { type Answer, openService, type Service } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import { book, cancel, eventTypes, freeTimes, untilApplied, untilSubscribed } from './support/client.ts'

const theirKey = `cgw_${randomBytes(32).toString('base64url')}`
const look = ({ call }: Service, key?: string) => call('GET', '/api/v1/integrity', key ? { key } : {})
const broken = ({ body }: Answer) =>
  body.invariants.filter(({ violations }: { violations: number }) => violations > 0)

/** Another tenant, and what must not be in both: two dead deliveries of theirs, and an overdue one of ours. */
async function breakIt(db: Kysely<Tables>): Promise<void> {
  const created_at = new Date().toISOString()
  await db.insertInto('tenants').values({ id: 'other', name: 'Other' }).execute()
  await db
    .insertInto('caller_keys')
    .values({
      id: 'key_01k00000000000000000000000',
      tenant_id: 'other',
      name: 'admin',
      scopes: ['admin'],
      key_hash: hashOf(theirKey),
      created_at
    })
    .execute()
  const delivery = (tenant_id: string, columns: { status: string; reason?: string; due_at: string | null }) =>
    db
      .insertInto('deliveries')
      .values({
        id: `dlv_${randomBytes(8).toString('hex')}`,
        tenant_id,
        digest: randomBytes(32),
        body: Buffer.from('{}'),
        signed_at: created_at,
        ...columns
      })
      .execute()
  for (let n = 0; n < 2; n++) await delivery('other', { status: 'dead', reason: 'It failed.', due_at: null })
  await delivery('default', { status: 'received', due_at: null })
}

for (const engine of engines) {
  t.test(`integrity (${engine})`, async (t) => {
    t.test('after bookings, holds, changes and webhooks nothing is broken', async (t) => {
      const service = await openService(t, { engine, webhooks: true })
      const { call, control } = service
      await untilSubscribed(service)
      const [first, second, third, fourth, fifth, sixth] = await freeTimes(service)
      // One host has both: a session of today might take one of those times.
      const session = (await freeTimes(service, eventTypes.workshop)).at(-1)
      const one = await book(service, { start_time: first })
      await cancel(service, one.body.id)
      const two = await book(service, { start_time: second })
      const moved = await call('POST', `/api/v1/bookings/${two.body.id}/reschedule`, {
        idempotencyKey: 'move',
        body: { start_time: third }
      })
      t.equal(moved.status, 200)
      const held = await call('POST', '/api/v1/holds', {
        body: { event_type: eventTypes.thirtyMinutes, start_time: fourth }
      })
      t.equal(held.status, 201)
      const inSession = { event_type: eventTypes.workshop, start_time: session }
      t.equal((await book(service, inSession)).status, 201)
      const person = await control('POST', '/book', {
        event_type: eventTypes.thirtyMinutes,
        start_time: sixth
      })
      await control('POST', '/reschedule', { invitee: person.invitee.uri, start_time: fifth })
      await control('POST', '/book', inSession)
      await untilApplied(service)

      const answer = await look(service)
      t.match(answer.body, { ok: true, checked_at: /Z$/ })
      t.same(
        answer.body.invariants,
        invariants.map((name) => ({ name, violations: 0 }))
      )
    })

    t.test('what is broken is told by name, to whom it belongs', async (t) => {
      const service = await openService(t, { engine, sandbox: null, prepare: breakIt })
      const ours = await look(service)
      t.equal(ours.body.ok, false)
      t.same(broken(ours), [{ name: 'deliveries_unaccounted', violations: 1 }])
      const theirs = await look(service, theirKey)
      t.same(broken(theirs), [{ name: 'deliveries_dead', violations: 2 }])
      t.notMatch(theirs.text, 'event_position_gaps', 'positions are everybody’s')
    })

    t.test('the metrics tell it of all tenants together, once a minute has passed', async (t) => {
      const system = movableSystem()
      const service = await openService(t, { engine, sandbox: null, prepare: breakIt, system })
      const { app, call } = service
      const scrape = async () => (await call('GET', '/metrics', { key: null })).text
      await app.services.integrity.refresh()
      t.notMatch(await scrape(), /^integrity_violations\{/m, 'not of what the start is still mending')
      system.moveTo(system.now() + 61_000)
      await app.services.integrity.refresh()
      const text = await scrape()
      t.match(text, 'integrity_violations{invariant="deliveries_unaccounted"} 1\n')
      t.match(text, 'integrity_violations{invariant="deliveries_dead"} 2\n')
      t.match(text, 'integrity_violations{invariant="bookings_overlapping"} 0\n')
      const [, checkedAt] = /^integrity_checked_timestamp_seconds (\S+)$/m.exec(text) ?? []
      t.ok(Math.abs(Number(checkedAt) - system.now() / 1000) < 60)
    })
  })
}

t.test('who asks again within seconds gets the same look', async (t) => {
  const system = movableSystem()
  const service = await openService(t, { sandbox: null, system })
  const [one, two] = await Promise.all([look(service), look(service)])
  t.same(one.body, two.body, 'those who ask at once')
  t.same((await look(service)).body, one.body)
  system.moveTo(system.now() + 5_001)
  t.not((await look(service)).body.checked_at, one.body.checked_at)
})

t.test('nobody but an admin may look, and nobody in part', async (t) => {
  const service = await openService(t, { sandbox: null })
  t.match(await service.call('GET', '/api/v1/integrity?invariant=x'), {
    status: 400,
    body: { code: 'validation_failed', errors: [{ pointer: '#/invariant' }] }
  })
  const { body } = await service.call('POST', '/api/v1/caller-keys', {
    body: { name: 'reader', scopes: ['bookings:read', 'events:read', 'keys:read'] }
  })
  t.match(await look(service, body.key), {
    status: 403,
    body: { code: 'insufficient_scope', detail: /admin/ }
  })
})
