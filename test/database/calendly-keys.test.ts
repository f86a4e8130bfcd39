import { sql } from 'kysely'
import t from 'tap'
import type { KeptKey, KeyNotice } from '../../src/core/calendly-key-tables.ts'
import { createCalendlyKeys } from '../../src/database/calendly-keys.ts'
import { openEngine } from '../../src/database/engine.ts'
import { aKey } from '../support/calendly-keys.ts'
import { engines, openTestEngine, testDatabase } from '../support/database.ts'
import { tuesday } from '../support/samples.ts'

const sealed = Buffer.from('sealed')
const whole: KeptKey = {
  ...aKey({ name: 'whole' }),
  state: 'retiring',
  invalidSince: tuesday + 1,
  retireAt: tuesday + 2,
  usageCount: 3,
  lastUsedAt: tuesday + 4,
  sealedToken: sealed
}
const notice = (changes: Partial<KeyNotice> = {}): KeyNotice => ({
  tenantId: 'default',
  name: 'a',
  fingerprint: 'f',
  kind: 'age_60',
  occasion: '',
  detail: { age_days: 60 },
  at: tuesday,
  ...changes
})

for (const kind of engines) {
  t.test(`calendly keys on ${kind}`, async (t) => {
    const { db, transaction } = await openTestEngine(t, kind)
    const keys = createCalendlyKeys(db)
    await sql`insert into tenants (id, name) values ('other', 'other')`.execute(db)
    t.beforeEach(async () => {
      await sql`delete from calendly_keys`.execute(db)
    })
    const find = async (name: string) => (await keys.list('default')).find((key) => key.name === name)

    t.test('are kept whole, by tenant and in their order', async (t) => {
      const plain = aKey({ name: 'a', priority: 2, user: undefined, organization: undefined })
      await keys.put(plain)
      await keys.put(whole)
      await keys.put({ ...whole, tenantId: 'other' })
      t.same(await keys.list('default'), [whole, { ...plain, sealedToken: undefined }])
      t.strictSame((await keys.list('default'))[0], whole)
      t.same(await keys.list('other'), [{ ...whole, tenantId: 'other' }])
      t.same(await transaction((tx) => createCalendlyKeys(tx).lock('default')), await keys.list('default'))
      await keys.remove('other', 'whole')
      t.same(await keys.list('other'), [])
      t.equal((await keys.list('default')).length, 2)
    })

    t.test('are replaced by one of their name, of which nothing of theirs remains', async (t) => {
      await keys.put(whole)
      t.equal(await keys.claimProbe(whole, 60_000), true)
      const successor = aKey({ name: 'whole', fingerprint: 'other' })
      await keys.put(successor)
      t.same(await keys.list('default'), [{ ...successor, sealedToken: undefined }])
      t.equal(await keys.claimProbe(successor, 60_000), true, 'not even that it was probed')
    })

    t.test('count their calls by token, and only ever upwards', async (t) => {
      for (const name of ['a', 'b', 'c']) await keys.put(aKey({ name }))
      await keys.put(aKey({ name: 'a', tenantId: 'other' }))
      const [a, b] = [aKey({ name: 'a' }), aKey({ name: 'b' })]
      const use = (count: number, lastUsedAt: number) => ({ count, lastUsedAt })
      await keys.addUses(
        'default',
        new Map([
          [a.fingerprint, use(3, tuesday + 5)],
          [b.fingerprint, use(4, tuesday)],
          ['of nobody', use(9, tuesday)]
        ])
      )
      await keys.addUses('default', new Map([[a.fingerprint, use(2, tuesday)]]))
      await keys.addUses('default', new Map())
      t.match(await find('a'), { usageCount: 5, lastUsedAt: tuesday + 5 })
      t.match(await find('b'), { usageCount: 4, lastUsedAt: tuesday })
      t.match(await find('c'), { usageCount: 0, lastUsedAt: undefined })
      t.match(await keys.list('other'), [{ usageCount: 0 }])
    })

    t.test('may be probed by one of many, once per interval', async (t) => {
      const key = aKey({ name: 'a' })
      await keys.put(key)
      const asked = await Promise.all(Array.from({ length: 20 }, () => keys.claimProbe(key, 60_000)))
      t.equal(asked.filter(Boolean).length, 1)
      await sql`update calendly_keys set probed_at = probed_at - interval '61 seconds'`.execute(db)
      t.equal(await keys.claimProbe(key, 60_000), true)
      t.equal(await keys.claimProbe(key, 60_000), false)
      t.equal(await keys.claimProbe(key, 0), true, 'a shorter interval counts from the same probe')
      await keys.put({ ...key, priority: 4 })
      t.equal(await keys.claimProbe(key, 60_000), false, 'and a change of the key does not undo it')
      t.equal(await keys.claimProbe({ ...key, fingerprint: 'other' }, 0), false)
    })

    t.test('take a new seal in place of the very one it was made from', async (t) => {
      await keys.put(whole)
      await keys.reseal(whole, Buffer.from('another'), Buffer.from('wrong'))
      t.same((await find('whole'))?.sealedToken, sealed)
      await keys.reseal(whole, sealed, Buffer.from('new'))
      t.same((await find('whole'))?.sealedToken, Buffer.from('new'))
    })

    t.test('have their notices given once, whoever gives them', async (t) => {
      const wanted = [notice(), notice({ kind: 'age_75' }), notice({ kind: 'invalid', occasion: '1' })]
      const given = await Promise.all(Array.from({ length: 10 }, () => keys.note(wanted)))
      t.same(
        given
          .flat()
          .map(({ kind }) => kind)
          .sort(),
        ['age_60', 'age_75', 'invalid']
      )
      t.same(await keys.note([...wanted, notice({ kind: 'invalid', occasion: '2' })]), [
        notice({ kind: 'invalid', occasion: '2' })
      ])
      t.same(await keys.note([notice({ fingerprint: 'of another token' })]), [
        notice({ fingerprint: 'of another token' })
      ])
      t.same(await keys.note([]), [])
      const { rows } = await sql<KeyNotice>`
        select tenant_id as "tenantId", name, fingerprint, kind, occasion, detail, at
        from calendly_key_notices order by id limit 1`.execute(db)
      t.same(rows, [notice()])
    })
  })

  t.test(`locked calendly keys on ${kind}`, async (t) => {
    const options = await testDatabase(t, kind)
    const engine = await openEngine(options)
    t.teardown(() => engine.close())

    t.test('are changed by one transaction after the other, also where there are none yet', async (t) => {
      const run = () =>
        engine.transaction(async (tx) => {
          const rows = createCalendlyKeys(tx)
          const before = await rows.lock('default')
          await rows.put(aKey({ name: `key ${before.length}`, priority: before.length + 1 }))
        })
      await Promise.all(Array.from({ length: 10 }, run))
      t.same(
        (await createCalendlyKeys(engine.db).list('default')).map(({ priority }) => priority),
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
      )
    })

    t.test('lose no call that is counted meanwhile', async (t) => {
      const count = (name: string) =>
        engine.transaction((tx) =>
          createCalendlyKeys(tx).addUses(
            'default',
            new Map([[aKey({ name }).fingerprint, { count: 1, lastUsedAt: tuesday }]])
          )
        )
      const touch = () =>
        engine.transaction(async (tx) => {
          const rows = createCalendlyKeys(tx)
          for (const key of await rows.lock('default')) await rows.put(key)
        })
      await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 4 === 0 ? touch() : count(`key ${n % 2}`))))
      const counted = (await createCalendlyKeys(engine.db).list('default')).map(
        ({ usageCount }) => usageCount
      )
      t.equal(
        counted.reduce((sum, count) => sum + count, 0),
        30
      )
    })

    t.test('do not hold up what else is written of the tenant', async (t) => {
      if (kind === 'embedded') return t.pass('there is one connection')
      await engine.transaction(async (tx) => {
        await createCalendlyKeys(tx).lock('default')
        const other = await openEngine(options)
        await sql`
          insert into caller_keys (id, tenant_id, name, key_hash, scopes, created_at)
          values ('key_1', 'default', 'x', '\\x00', '{}', now())`
          .execute(other.db)
          .finally(() => other.close())
      })
      t.pass('a row with a reference to the tenant was written')
    })
  })
}
