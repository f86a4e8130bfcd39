import { sql } from 'kysely'
import t from 'tap'
import type { Execution } from '../../src/core/idempotency.ts'
import { aKey, openReplica, owner } from '../support/calendly-keys.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'

const dayMs = 86_400_000
const caller = { tenantId: 'default', name: 'operator', scopes: [] }
const keyless: Execution = { subject: undefined, begin: async () => {}, forget: async () => {} }

for (const kind of engines) {
  t.test(`what other services are told of Calendly keys (${kind})`, async (t) => {
    const engine = await openTestEngine(t, kind)
    const { db } = engine
    t.beforeEach(async () => {
      for (const table of ['calendly_keys', 'calendly_key_notices', 'events', 'event_subjects'])
        await sql`delete from ${sql.table(table)}`.execute(db)
    })
    /** Two replicas with the keys `a` and `b`. */
    async function start() {
      const system = fakeSystem(tuesday)
      const one = openReplica(engine, { system })
      for (const [index, name] of ['a', 'b'].entries()) {
        one.accepted.set(`token-of-${name}`, owner)
        const sealed = { priority: index + 1, sealedToken: Buffer.from(name) }
        await one.keys.put({ ...aKey({ name }), ...sealed })
      }
      return { system, one, two: openReplica(engine, { system }) }
    }
    async function told() {
      const { rows } = await sql<{ body: Buffer }>`select body from events order by written`.execute(db)
      return rows.map(({ body }) => JSON.parse(body.toString()))
    }

    t.test('warnings that come due together are one event, once across replicas', async (t) => {
      const { system, one, two } = await start()
      await one.maintain()
      t.same(await told(), [])
      await system.sleep(76 * dayMs)
      await Promise.all([one.maintain(), two.maintain(), one.maintain()])
      t.match(
        (await told()).toSorted((x, y) => (x.subject < y.subject ? -1 : 1)),
        ['a', 'b'].map((name) => ({
          type: 'calendly_key.expiring',
          subject: `calendly_key:${name}`,
          sequence: 1,
          timestamp: new Date(system.now()).toISOString(),
          data: { key: { name, state: 'expiring', age_days: 76, last_four: name.padStart(4, 'of-') } }
        }))
      )
      await system.sleep(10 * dayMs)
      await one.maintain()
      t.match((await told()).slice(2), [
        { subject: 'calendly_key:a', sequence: 2 },
        { subject: 'calendly_key:b', sequence: 2 }
      ])
      t.notMatch(JSON.stringify(await told()), /token-of|sealed|fingerprint/)
    })

    t.test('one that Calendly refuses is told of once, until it is refused anew', async (t) => {
      const { system, one, two } = await start()
      const [a] = await one.keys.list('default')
      if (!a) throw new Error('there is a key')
      await Promise.all([one.source.refused(a), two.source.refused(a), one.source.refused(a)])
      t.match(await told(), [
        {
          type: 'calendly_key.invalid',
          subject: 'calendly_key:a',
          sequence: 1,
          data: { key: { name: 'a', health: 'invalid', state: 'active' } }
        }
      ])
      await one.source.accepted(a, owner)
      await system.sleep(1_000)
      await two.source.refused(a)
      t.match((await told()).slice(1), [{ type: 'calendly_key.invalid', sequence: 2 }])
    })

    t.test('one that takes the place at the front is told of as it then is', async (t) => {
      const { one } = await start()
      one.accepted.set('token-of-c', owner)
      await one.add(caller, { name: 'c', token: 'token-of-c' }, keyless)
      t.same(await told(), [], 'a standby is no news')
      await one.promote(caller, 'c')
      t.match(await told(), [
        {
          type: 'calendly_key.rotated',
          subject: 'calendly_key:c',
          sequence: 1,
          data: { key: { name: 'c', state: 'active', health: 'ok', priority: 1, quota: null } }
        }
      ])
      t.equal((await told()).length, 1)
    })

    t.test('what is rolled back is not told, and told later', async (t) => {
      const { system, one } = await start()
      await system.sleep(61 * dayMs)
      const fails = openReplica(
        {
          ...engine,
          transaction: (work) =>
            engine.transaction(async (tx) => {
              await work(tx)
              throw new Error('no commit')
            })
        },
        { system }
      )
      await t.rejects(fails.maintain())
      t.same(await told(), [])
      await one.maintain()
      t.equal((await told()).length, 2)
    })
  })
}
