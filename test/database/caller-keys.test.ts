import { sql } from 'kysely'
import t from 'tap'
import { hashOf } from '../../src/core/callers.ts'
import { createCallerKeys } from '../../src/database/caller-keys.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { tuesday } from '../support/samples.ts'

for (const kind of engines) {
  t.test(`caller keys on ${kind}`, async (t) => {
    const { db } = await openTestEngine(t, kind)
    const keys = createCallerKeys(db)
    await sql`insert into tenants (id, name) values ('other', 'other')`.execute(db)
    const shop = {
      id: 'key_1',
      tenantId: 'default',
      name: 'shop',
      scopes: ['bookings:read', 'admin'],
      createdAt: tuesday
    }
    const desk = { ...shop, id: 'key_2', name: 'desk' }
    const foreign = { ...shop, id: 'key_3', tenantId: 'other' }
    for (const key of [desk, shop, foreign]) await keys.insert({ ...key, hash: hashOf(key.id) })

    t.test('are found by their hash, whole', async (t) => {
      t.strictSame(await keys.findByHash(hashOf('key_1')), shop)
      t.equal(await keys.findByHash(hashOf('key_9')), undefined)
    })

    t.test('are listed by tenant, oldest first', async (t) => {
      t.strictSame(await keys.list('default'), [shop, desk])
      t.strictSame(await keys.list('other'), [foreign])
    })

    t.test('are refused under a hash that is known', async (t) => {
      await t.rejects(keys.insert({ ...shop, id: 'key_4', hash: hashOf('key_1') }))
    })

    t.test('are revoked once, by their own tenant', async (t) => {
      t.equal(await keys.revoke('other', 'key_2'), false)
      t.ok(await keys.findByHash(hashOf('key_2')))
      t.equal(await keys.revoke('default', 'key_2'), true)
      t.equal(await keys.revoke('default', 'key_2'), false)
      t.equal(await keys.findByHash(hashOf('key_2')), undefined)
      t.strictSame(await keys.list('default'), [shop])
    })
  })
}
