import { sql } from 'kysely'
import t from 'tap'
import { type Caller, createCallers, hashOf, hasScope, scopes } from '../../src/core/callers.ts'
import { createCallerKeys } from '../../src/database/caller-keys.ts'
import { fakeSystem } from '../support/system.ts'
import { openTables } from '../support/tables.ts'

const adminKey = 'cgw_the_admin_key'
const keyless = { subject: undefined, begin: async () => {}, forget: async () => {} }

t.test('a scope to write includes that to read, and admin nothing else', async (t) => {
  const holder = (...scopes: string[]): Caller => ({ tenantId: 'default', name: 'x', scopes })
  t.ok(hasScope(holder('bookings:read'), 'bookings:read'))
  t.ok(hasScope(holder('bookings:write'), 'bookings:read'))
  t.notOk(hasScope(holder('bookings:read'), 'bookings:write'))
  t.notOk(hasScope(holder('refunds:write'), 'bookings:read'))
  for (const scope of scopes) t.equal(hasScope(holder('admin'), scope), scope === 'admin', scope)
  for (const scope of scopes) t.notOk(hasScope(holder(), scope), scope)
})

t.test('caller keys', async (t) => {
  const { db, transact } = await openTables(t)
  const callers = createCallers({
    system: fakeSystem(),
    adminKey,
    transact,
    callerKeys: createCallerKeys(db)
  })
  const admin: Caller = { tenantId: 'default', name: 'admin', scopes }

  t.test('the admin key has every scope, and no other key is anybody’s', async (t) => {
    t.same(await callers.authenticate(adminKey), admin)
    for (const key of ['', 'x', `${adminKey} `, hashOf(adminKey).toString('hex')]) {
      t.equal(await callers.authenticate(key), undefined)
    }
  })

  t.test('a key is shown once and kept as a hash alone', async (t) => {
    const { key, ...made } = await callers.create(
      admin,
      { name: 'shop', scopes: ['admin', 'admin'] },
      keyless
    )
    t.match(key, /^cgw_[\w-]{43}$/)
    t.same(made.scopes, ['admin'])
    const { rows } = await sql<{
      row: string
    }>`select row_to_json(caller_keys)::text as row from caller_keys`.execute(db)
    t.match(rows, [{ row: new RegExp(hashOf(key).toString('hex')) }])
    t.notOk(rows[0]?.row.includes(key))
    t.match(await callers.authenticate(key), { tenantId: 'default', name: 'shop', scopes: ['admin'] })
    t.match(await callers.list(admin), [{ id: made.id, name: 'shop' }])
  })

  t.test('a revoked key is nobody’s, and revoked once', async (t) => {
    const { id, key } = await callers.create(admin, { name: 'desk', scopes: ['admin'] }, keyless)
    await t.rejects(callers.revoke({ ...admin, tenantId: 'other' }, id), { code: 'not_found' })
    await callers.revoke(admin, id)
    t.equal(await callers.authenticate(key), undefined)
    await t.rejects(callers.revoke(admin, id), { code: 'not_found' })
  })

  t.test('a run that was cut short leaves no key that nobody has seen', async (t) => {
    const lost = await callers.create(admin, { name: 'till', scopes: ['admin'] }, keyless)
    const again = await callers.create(
      admin,
      { name: 'till', scopes: ['admin'] },
      { ...keyless, subject: lost.id }
    )
    t.equal(await callers.authenticate(lost.key), undefined)
    t.ok(await callers.authenticate(again.key))
  })

  t.test('whoever makes or revokes a key is written down with it, and the key is not', async (t) => {
    await sql`delete from audit_log`.execute(db)
    const { id, key } = await callers.create(admin, { name: 'kiosk', scopes: ['admin'] }, keyless)
    const again = await callers.create(
      admin,
      { name: 'kiosk', scopes: ['admin'] },
      { ...keyless, subject: id }
    )
    await callers.revoke(admin, again.id)
    await t.rejects(callers.revoke(admin, again.id))
    const failing = async () => {
      throw new Error('the lease is lost')
    }
    await t.rejects(
      callers.create(admin, { name: 'kiosk', scopes: ['admin'] }, { ...keyless, begin: failing })
    )
    const { rows } = await sql<{ entry: string; detail: unknown }>`
      select actor || ' ' || action || ' ' || subject as entry, detail from audit_log order by id`.execute(db)
    t.same(
      rows.map(({ entry }) => entry),
      [
        `caller:admin caller_key.created ${id}`,
        `caller:admin caller_key.revoked ${id}`,
        `caller:admin caller_key.created ${again.id}`,
        `caller:admin caller_key.revoked ${again.id}`
      ]
    )
    t.match(rows, [{ detail: { name: 'kiosk', scopes: ['admin'] } }])
    t.notMatch(JSON.stringify(rows), key)
  })
})
